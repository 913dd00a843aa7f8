/**
 * The options of `xftrace on`.
 *
 * @module
 */
import {
  type Command,
  Option,
  type OptionValues,
} from "@commander-js/extra-typings";
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

/**
 * Collects the values of a repeatable option. commander's `<x...>` would take
 * the functions that follow as values.
 */
function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

const REPEATED: readonly (readonly [flag: string, about: string])[] = [
  ["--mute <event>", "do not record this event; repeatable"],
  ["--without-cpu <cpu>", "do not record on this CPU; repeatable"],
  [
    "--filter <functions>",
    'record these functions below the named ones, or "all"; repeatable (module, tracefs)',
  ],
  ["--event <event>", "enable this event as well; repeatable (tracefs)"],
  [
    "--event-filter <event=expression>",
    "record an event only when this is true; repeatable (tracefs)",
  ],
  [
    "--trigger <event=command>",
    "set a trigger on an event, such as stacktrace:5; repeatable (tracefs)",
  ],
  [
    "--set <file=value>",
    "set any other file of tracefs; += adds to it; repeatable (tracefs)",
  ],
];

const OPTIONS: readonly (readonly [flag: string, about: string])[] = [
  ["--instance <name>", "use this trace instance (default: the top level)"],
  ["--depth <levels>", "follow calls this deep at most (0: no limit)"],
  ["--foreground", "wait for Ctrl-C, then do what `off` does"],
  ["--dry-run", "print the plan, and write nothing"],
  ["--plain", "do not use the guest's module, even if it is loaded"],
  ["--sealed", "use the guest's module; fail if it is not loaded"],
  ["--resume", "continue a sealed trace whose collector has ended"],
  [
    "--seal <mode>",
    `how entries are sealed: ${
      Object.keys(SEAL_NUMBER).join(", ")
    }; default: the last (module)`,
  ],
  [
    "--rotate <ms>",
    "give each CPU a new key this often; default: 100 (module)",
  ],
  [
    "--interrupts",
    "also record what interrupts call below a function (module)",
  ],
  [
    "--no-arguments",
    "do not record system calls' arguments and paths (module)",
  ],
  ["--no-hooks", "do not record the functions of loaded modules (module)"],
  ["--klog <file>", 'the key log to write; default: "trace.klog" (module)'],
  [
    "--recording <file>",
    'the recording to write; default: "trace.xfs" (module)',
  ],
  [
    "--tracer <name>",
    "select a tracer of the guest's own: function_graph, function, ... (tracefs)",
  ],
  [
    "--agent",
    "set files of tracefs through QEMU's guest agent, without the module; trusts the guest",
  ],
  ["--clock <name>", "set the trace clock: local, global, mono, ... (tracefs)"],
  ["--buffer-size <KiB>", "set the size of each CPU's buffer (tracefs)"],
];

/** Adds the options. The type is written out: inferring it takes minutes. */
export function withOnOptions<
  Args extends unknown[],
  Opts extends OptionValues,
  Global extends OptionValues,
>(
  command: Command<Args, Opts, Global>,
): Command<Args, Opts & OnOptions, Global> {
  for (const [flag, about] of OPTIONS) command.option(flag, about);
  for (const [flag, about] of REPEATED) {
    command.addOption(
      new Option(flag, about).argParser(collect).default([], "none"),
    );
  }
  return command as unknown as Command<Args, Opts & OnOptions, Global>;
}

/** Larger numbers fit neither the guest's words nor a timer. */
const LARGEST = 2 ** 31 - 1;

/**
 * @throws {XftraceError} unless it is a whole number, `least` or more and less
 * than 2^31.
 */
export function wholeNumber(option: string, text: string, least = 0): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isInteger(value) || value < least) {
    throw usage(`${option} takes a whole number, ${least} or more`);
  }
  if (value <= LARGEST) return value;
  throw usage(`${option} takes a whole number, ${LARGEST} at most`);
}

/** @throws {XftraceError} when there is no such seal. */
export function sealName(text: string): SealName {
  const names = Object.keys(SEAL_NUMBER) as SealName[];
  const found = names.find((name) => name === text);
  if (found !== undefined) return found;
  throw usage(`--seal takes ${names.join(", ")}; there is no "${text}"`);
}

/** Options that set files of tracefs. */
const TRACEFS = [
  "event",
  "eventFilter",
  "trigger",
  "set",
  "clock",
  "bufferSize",
] as const;

/** The options that each kind of trace does not take. */
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

/** Whether an option was given: a repeatable one is an empty list if not. */
function isGiven(options: OnOptions, name: keyof OnOptions): boolean {
  const value: unknown = options[name];
  return value !== undefined && !(Array.isArray(value) && value.length === 0);
}

/**
 * Whether files of tracefs are to be set.
 *
 * @throws {XftraceError} when functions are named as well, but no tracer: the
 * module would record these itself, sealed.
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
 * @throws {XftraceError} that says what the option is for.
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

/**
 * The error for an option that needs the guest's module, given with `--plain`.
 */
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
