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
  ["--no-abstime", "do not"],
  ["--proc", "show the process of each line"],
  ["--no-proc", "do not"],
  ["--cpu", "show the CPU of each line"],
  ["--no-cpu", "do not"],
  ["--duration", "show how long calls took"],
  ["--no-duration", "do not"],
  ["--overhead", "mark long calls"],
  ["--no-overhead", "do not"],
  ["--tail", "name the function at its closing brace"],
  ["--no-tail", "do not"],
  ["--irqs", "show what interrupts do"],
  ["--no-irqs", "do not"],
];

/**
 * Adds the display options; what is not given is as the guest has it.
 *
 * The result's type is stated: inferred from fourteen options over a generic
 * command, it keeps the type checker busy for minutes.
 */
export function withGraphOptions<
  Args extends unknown[],
  Opts extends OptionValues,
  Global extends OptionValues,
>(
  command: Command<Args, Opts, Global>,
): Command<Args, Opts & GraphFlags, Global> {
  for (const [flag, about] of OPTIONS) command.option(flag, about);
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
