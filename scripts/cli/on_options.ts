/**
 * The options of `xftrace on`.
 *
 * @module
 */
import type { Command, OptionValues } from "@commander-js/extra-typings";
import type { XftraceError } from "xftrace";
import { SEAL_NUMBER, type SealName } from "xftrace/seal";
import { usage } from "./option_values.ts";
import type { TargetOptions } from "./target.ts";

/** Values of the options of `on`. */
export interface OnOptions extends TargetOptions {
  readonly instance?: string;
  readonly depth?: string;
  readonly mute: readonly string[];
  readonly withoutCpu: readonly string[];
  readonly foreground?: boolean;
  readonly dryRun?: boolean;
  readonly plain?: boolean;
  readonly sealed?: boolean;
  readonly resume?: boolean;
  readonly filter: readonly string[];
  readonly seal?: string;
  readonly rotate?: string;
  readonly interrupts?: boolean;
  readonly arguments: boolean;
  readonly hooks: boolean;
  readonly klog?: string;
  readonly recording?: string;
  readonly tracer?: string;
  readonly agent?: boolean;
  readonly event: readonly string[];
  readonly eventFilter: readonly string[];
  readonly trigger: readonly string[];
  readonly set: readonly string[];
  readonly clock?: string;
  readonly bufferSize?: string;
}

/** An option that is given several times; not `<x...>`, which eats functions. */
function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

const REPEATED: readonly (readonly [flag: string, about: string])[] = [
  ["--mute <event>", "leave out an event; may be repeated"],
  ["--without-cpu <cpu>", "leave out a CPU; may be repeated"],
  [
    "--filter <functions>",
    'record these below the functions named; may be repeated; "all" (module)',
  ],
  ["--event <event>", "enable an event too; may be repeated (tracefs)"],
  [
    "--event-filter <event=expression>",
    "record an event only when this holds; may be repeated (tracefs)",
  ],
  [
    "--trigger <event=command>",
    "what an event sets off, such as stacktrace:5; may be repeated (tracefs)",
  ],
  [
    "--set <file=value>",
    "any other file of tracefs, += to add; may be repeated (tracefs)",
  ],
];

const OPTIONS: readonly (readonly [flag: string, about: string])[] = [
  ["--instance <name>", "an instance in place of the top level"],
  ["--depth <levels>", "follow calls no deeper (0: no limit)"],
  ["--foreground", "stay until Ctrl-C, and then do what `off` does"],
  ["--dry-run", "show what would be written, and write nothing"],
  ["--plain", "do not use the guest's module, even if it is there"],
  ["--sealed", "use the guest's module, or fail"],
  ["--resume", "go on with a sealed trace whose collector has ended"],
  ["--seal <mode>", `${Object.keys(SEAL_NUMBER).join(", ")} (module)`],
  ["--rotate <ms>", "a new key for each CPU so often; default 100 (module)"],
  ["--interrupts", "record what interrupts do below a function (module)"],
  ["--no-arguments", "leave out system-call arguments and paths (module)"],
  ["--no-hooks", "leave out the functions of loaded modules (module)"],
  ["--klog <file>", 'the key log; default "trace.klog" (module)'],
  ["--recording <file>", 'the recording; default "trace.xfs" (module)'],
  ["--tracer <name>", "have the module select a stock tracer of the guest"],
  [
    "--agent",
    "have the guest's own agent do it, which is trusted; needs no module (tracefs)",
  ],
  ["--clock <name>", "the trace clock (tracefs)"],
  ["--buffer-size <KiB>", "size of a CPU's buffer (tracefs)"],
];

/** Adds the options; the type is stated, for inferring it takes minutes. */
export function withOnOptions<
  Args extends unknown[],
  Opts extends OptionValues,
  Global extends OptionValues,
>(
  command: Command<Args, Opts, Global>,
): Command<Args, Opts & OnOptions, Global> {
  for (const [flag, about] of OPTIONS) command.option(flag, about);
  for (const [flag, about] of REPEATED) {
    command.option(flag, about, collect, []);
  }
  return command as unknown as Command<Args, Opts & OnOptions, Global>;
}

/** @throws {XftraceError} when it is no whole number of at least `least`. */
export function wholeNumber(option: string, text: string, least = 0): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= least) {
    return value;
  }
  throw usage(`${option} takes a whole number, ${least} or more`);
}

/** @throws {XftraceError} when there is no such seal. */
export function sealName(text: string): SealName {
  const names = Object.keys(SEAL_NUMBER) as SealName[];
  const found = names.find((name) => name === text);
  if (found !== undefined) return found;
  throw usage(`--seal takes ${names.join(", ")}; there is no "${text}"`);
}

/** Options that have the module write files of tracefs. */
const TRACEFS = [
  "event",
  "eventFilter",
  "trigger",
  "set",
  "clock",
  "bufferSize",
] as const;

/** What a kind of trace does not take. */
const FOREIGN = {
  sealed: ["instance", "mute", "withoutCpu", ...TRACEFS],
  plain: [
    "filter",
    "seal",
    "rotate",
    "interrupts",
    "klog",
    "recording",
    ...TRACEFS,
  ],
  tracer: ["seal", "rotate", "interrupts", "klog", "recording"],
} as const;

/** Whether an option was given: repeated ones are empty lists without. */
function isGiven(options: OnOptions, name: keyof OnOptions): boolean {
  const value: unknown = options[name];
  return value !== undefined && !(Array.isArray(value) && value.length === 0);
}

/**
 * Whether the module is to write files of tracefs.
 *
 * @throws {XftraceError} when functions are named too, and no tracer: they
 * would be sealed by the module itself.
 */
export function isTracefs(
  functions: readonly string[],
  options: OnOptions,
): boolean {
  if (options.tracer !== undefined) return true;
  const given = TRACEFS.find((name) => isGiven(options, name));
  if (given === undefined) return false;
  if (functions.length > 0 || options.filter.length > 0) {
    throw usage(
      `${
        flagOf(given)
      } is for the guest's own tracers: say which with --tracer, such as --tracer function_graph`,
    );
  }
  return true;
}

function flagOf(name: keyof OnOptions): string {
  return `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
}

/**
 * Refuses `--agent` where it would do nothing.
 *
 * @throws {XftraceError} that says what it is for.
 */
export function requireForAgent(
  functions: readonly string[],
  options: OnOptions,
): void {
  const other = (["plain", "sealed", "resume"] as const)
    .find((name) => options[name] === true);
  if (other !== undefined) {
    throw usage(
      `--agent and --${other} exclude each other: --agent has the guest's agent start a stock tracer`,
    );
  }
  if (isTracefs(functions, options)) return;
  throw usage(
    "--agent has the guest's agent set files of tracefs: say what with --tracer, --event or --set",
  );
}

/** An option that takes the guest's module, beside `--plain`. */
export function excludesPlain(flag: string): XftraceError {
  return usage(
    `--plain and ${flag} exclude each other: ${flag} takes the guest's module, which --plain leaves out`,
  );
}

const NEEDS = {
  sealed: "is for plain traces and --tracer",
  plain:
    "needs the guest's module (load it in the guest; see: xftrace guest install), or for a stock tracer its agent (--agent)",
  tracer: "is for sealed traces, not for --tracer",
} as const;

/**
 * Refuses options that would silently do nothing.
 *
 * @throws {XftraceError} that names the option.
 */
export function refuseForeign(
  kind: keyof typeof FOREIGN,
  options: OnOptions,
): void {
  for (const name of FOREIGN[kind]) {
    if (!isGiven(options, name)) continue;
    const flag = flagOf(name);
    throw kind === "plain" && options.plain === true
      ? excludesPlain(flag)
      : usage(`${flag} ${NEEDS[kind]}`);
  }
}
