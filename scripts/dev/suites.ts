/**
 * The test suites, and what each may do.
 *
 * @module
 */
import { filesWithExamples } from "./examples.ts";
import { filesBelow } from "./files.ts";

/** Names of the suites, in the order in which they run. */
export const SUITES = [
  "unit",
  "replay",
  "types",
  "examples",
  "package",
  "live",
] as const;

/** A suite's name. */
export type Suite = typeof SUITES[number];

/** One run of `deno test` (or `deno check`) over some files. */
export interface Run {
  readonly suite: Suite;
  /** What is being tested, for the heading. */
  readonly title: string;
  /** Relative to the checkout; sorted. */
  readonly files: readonly string[];
  /** Deno's permission flags; that they suffice is part of the test. */
  readonly permissions: readonly string[];
  /** Whether two files may run at a time. */
  readonly parallel?: boolean;
  /** Whether the examples in the files' doc comments are what is run. */
  readonly examples?: boolean;
}

/**
 * What the engine may do: its tests read recordings, write to temporary
 * folders and run readelf. That it maps nothing and calls nothing native is
 * tested by leaving out --allow-ffi.
 */
const ENGINE = [
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys",
  "--allow-run",
];
const ALL = ["--allow-all"];

/** The runs that make up the suites asked for; those without files left out. */
export function runsOf(suites: readonly Suite[]): Run[] {
  const live = tests("tests/live");
  const runs: Run[] = [
    {
      suite: "unit",
      title: "engine and dsl, without FFI",
      files: tests("engine", "dsl"),
      permissions: ENGINE,
    },
    {
      suite: "unit",
      title: "ffi, lab and scripts",
      files: tests("ffi", "lab", "scripts"),
      permissions: ALL,
    },
    {
      suite: "replay",
      title: "recordings, with --allow-read alone",
      files: tests("tests/replay"),
      permissions: ["--allow-read"],
    },
    {
      suite: "replay",
      title: "recordings, in processes that may read alone",
      files: tests("tests/processes"),
      permissions: ["--allow-read", "--allow-run"],
    },
    {
      suite: "types",
      title: "what must and must not compile",
      files: filesBelow("tests/types").filter((path) => path.endsWith(".ts")),
      permissions: [],
    },
    {
      suite: "examples",
      title: "examples in doc comments, over recordings",
      files: filesWithExamples(),
      permissions: ALL,
      examples: true,
    },
    {
      suite: "package",
      title: "the npm package, installed in an empty folder",
      files: tests("tests/package"),
      permissions: ALL,
    },
    {
      suite: "live",
      title: "the main job on running guests",
      files: live.filter(measures),
      permissions: ALL,
    },
    {
      suite: "live",
      title: "running guests, two files at a time",
      files: live.filter((path) => !measures(path)),
      permissions: ALL,
      parallel: true,
    },
  ];
  return runs.filter((run) =>
    suites.includes(run.suite) && run.files.length > 0
  );
}

/** Whether a live test asserts how long something takes: it has the machine. */
function measures(path: string): boolean {
  return path.endsWith("/main_test.ts");
}

function tests(...folders: string[]): string[] {
  return folders.flatMap((folder) => filesBelow(folder))
    .filter((path) => path.endsWith("_test.ts"));
}
