/**
 * The function_graph tracer's display options as command-line options.
 *
 * @module
 */
import type { Command, OptionValues } from "@commander-js/extra-typings";
import type { TraceTextOptions } from "../../engine/ftrace/text/options.ts";

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

/** Adds the display options; what is not given is as the guest has it. */
export function withGraphOptions<
  Args extends unknown[],
  Opts extends OptionValues,
  Global extends OptionValues,
>(command: Command<Args, Opts, Global>) {
  return command
    .option("--abstime", "show the time of each line")
    .option("--no-abstime", "do not")
    .option("--proc", "show the process of each line")
    .option("--no-proc", "do not")
    .option("--cpu", "show the CPU of each line")
    .option("--no-cpu", "do not")
    .option("--duration", "show how long calls took")
    .option("--no-duration", "do not")
    .option("--overhead", "mark long calls")
    .option("--no-overhead", "do not")
    .option("--tail", "name the function at its closing brace")
    .option("--no-tail", "do not")
    .option("--irqs", "show what interrupts do")
    .option("--no-irqs", "do not");
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
