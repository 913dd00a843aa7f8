/**
 * The test suites, with the permissions of each.
 *
 * @module
 */
import { filesWithExamples } from "./examples.ts";
import { filesBelow, readText } from "./files.ts";

/** Names of the suites, in the order in which they run. */
export const SUITES = [
  "unit",
  "replay",
  "fuzz",
  "types",
  "examples",
  "bench",
  "package",
  "host",
  "live",
] as const;

/**
 * The suite of what is too slow for every run: the tests that repeat something
 * (those that import long_fixture.ts), many times, guests of all kinds, and
 * those that need a browser.
 */
export const LONG_SUITE = "long";

/** A suite's name. */
export type Suite = typeof SUITES[number] | typeof LONG_SUITE;

/** One run of Deno over some files. */
export interface Run {
  readonly suite: Suite;
  /** What is tested, for the heading. */
  readonly title: string;
  /** Relative to the checkout; sorted. */
  readonly files: readonly string[];
  /** Deno's permission flags; the tests also check that these suffice. */
  readonly permissions: readonly string[];
  /** Whether several files may run at the same time. */
  readonly parallel?: boolean;
  /** For what is no test: the subcommand of Deno that has to succeed. */
  readonly command?: "check" | "bench";
  /** Whether to run the examples in doc comments instead of tests. */
  readonly examples?: boolean;
  /** Whether it boots guests. */
  readonly guests?: boolean;
  /** Whether each test repeats as often as long_fixture.ts has it. */
  readonly long?: boolean;
}

/**
 * Permissions of the engine's tests, which read recordings, write to temporary
 * folders and run readelf. Without --allow-ffi, to check that the engine makes
 * no native calls.
 */
const ENGINE = [
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys",
  "--allow-run",
];
const ALL = ["--allow-all"];

/** The runs of these suites; runs without files are left out. */
export function runsOf(suites: readonly Suite[]): Run[] {
  const live = tests("tests/live");
  const runs: Run[] = [
    {
      suite: "unit",
      title: "engine and dsl, without FFI",
      files: tests("engine", "dsl"),
      permissions: ENGINE,
      parallel: true,
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
      files: tests("tests/replay", "tests/blind"),
      permissions: ["--allow-read"],
      parallel: true,
    },
    {
      suite: "replay",
      title: "recordings, in processes that may read alone",
      files: tests("tests/processes"),
      // The processes have their own permissions; files are made for them.
      permissions: [
        "--allow-read",
        "--allow-write",
        "--allow-run",
        "--allow-sys",
        "--allow-env",
      ],
    },
    {
      suite: "fuzz",
      title: "hostile input for every parser, a short run",
      files: tests("tests/fuzz"),
      permissions: ALL,
    },
    {
      suite: "types",
      title: "what must and must not compile",
      files: filesBelow("tests/types").filter((path) => path.endsWith(".ts")),
      permissions: [],
      command: "check",
    },
    {
      suite: "examples",
      title: "examples in doc comments, over recordings",
      files: filesWithExamples(),
      permissions: ALL,
      examples: true,
    },
    {
      suite: "bench",
      title: "the benchmarks run to their end",
      files: filesBelow("bench").filter((path) => path.endsWith("_bench.ts")),
      permissions: ALL,
      command: "bench",
    },
    {
      suite: "package",
      title: "the npm package, installed in an empty folder",
      files: tests("tests/package"),
      permissions: ALL,
    },
    {
      suite: "host",
      title: "attacks by another user of this host, as root",
      files: tests("tests/host"),
      permissions: ALL,
    },
    {
      suite: "live",
      title: "the main job on running guests",
      files: live.filter(measures),
      permissions: ALL,
      guests: true,
    },
    {
      suite: "live",
      title: "running guests, two files at a time",
      files: live.filter((path) => !measures(path)),
      permissions: ALL,
      guests: true,
      parallel: true,
    },
    {
      suite: LONG_SUITE,
      title: "properties, many times, and what processes need",
      files: tests("engine", "dsl", "tests/processes").filter(repeats),
      permissions: ENGINE,
      long: true,
    },
    {
      suite: LONG_SUITE,
      title: "guests of all kinds, and many runs on one",
      files: live.filter(repeats),
      permissions: ALL,
      guests: true,
      long: true,
    },
    {
      suite: LONG_SUITE,
      title: "files that other programs read",
      files: tests("tests/readers"),
      permissions: ALL,
      long: true,
    },
    {
      suite: LONG_SUITE,
      title: "pages in a browser (Debian's package chromium)",
      files: tests("tests/browser"),
      permissions: ALL,
      long: true,
    },
  ];
  return runs.filter((run) =>
    suites.includes(run.suite) && run.files.length > 0
  );
}

/** Whether a live test asserts how long something takes, and so runs alone. */
function measures(path: string): boolean {
  return path.endsWith("/main_test.ts");
}

/** Whether a test file does more in long runs. */
function repeats(path: string): boolean {
  return readText(path).includes("/long_fixture.ts");
}

function tests(...folders: string[]): string[] {
  return folders.flatMap((folder) => filesBelow(folder))
    .filter((path) => path.endsWith("_test.ts"));
}
