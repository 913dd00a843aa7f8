/**
 * The function_graph tracer's display options as command-line options.
 *
 * @module
 */
import type { Command, OptionValues } from "@commander-js/extra-typings";
import type { TraceTextOptions } from "xftrace/output";

/** Values of {@linkcode withGraphOptions}'s options. */
export interface GraphFlags {
  readonly abstime?: boolean;
  readonly proc?: boolean;
  readonly cpu?: boolean;
  readonly duration?: boolean;
  readonly overhead?: boolean;
  readonly tail?: boolean;
  readonly irqs?: boolean;
}

const NAMES = [
  "abstime",
  "proc",
  "cpu",
  "duration",
  "overhead",
  "tail",
  "irqs",
] as const;

const OPTIONS: readonly (readonly [flag: string, about: string])[] = [
  ["--abstime", "show the time of each line"],
  ["--no-abstime", "leave out the time"],
  ["--proc", "show the process of each line"],
  ["--no-proc", "leave out the process"],
  ["--cpu", "show the CPU of each line"],
  ["--no-cpu", "leave out the CPU"],
  ["--duration", "show how long calls took"],
  ["--no-duration", "leave out how long calls took"],
  ["--overhead", "mark long calls"],
  ["--no-overhead", "do not mark long calls"],
  ["--tail", "name the function at its closing brace"],
  ["--no-tail", "do not name the function there"],
  ["--irqs", "show functions that interrupts call"],
  ["--no-irqs", "leave them out"],
];

/**
 * Adds the display options. Those that are not given are as the guest has them.
 *
 * The result's type is written out: inferring it from fourteen options of a
 * generic command takes the type checker minutes.
 */
export function withGraphOptions<
  Args extends unknown[],
  Opts extends OptionValues,
  Global extends OptionValues,
>(
  command: Command<Args, Opts, Global>,
): Command<Args, Opts & GraphFlags, Global> {
  for (const [flag, about] of OPTIONS) command.option(flag, about);
  command.addHelpText(
    "after",
    "\nDisplay options that are not given are as the guest has them set.",
  );
  return command as unknown as Command<Args, Opts & GraphFlags, Global>;
}

/** The options that were given. */
export function givenGraphOptions(
  flags: GraphFlags,
): Partial<Record<keyof TraceTextOptions["graph"], boolean>> {
  const given: Partial<Record<keyof TraceTextOptions["graph"], boolean>> = {};
  for (const name of NAMES) {
    const value = flags[name];
    if (value !== undefined) given[name] = value;
  }
  return given;
}
