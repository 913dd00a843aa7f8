/**
 * The options that every command has that reads a guest, and what opens it.
 *
 * @module
 */
import type { Command, OptionValues } from "@commander-js/extra-typings";
import { type Guest, open } from "xftrace/live";
import { TARGET_FORMS } from "xftrace/targets";
import { usage } from "./option_values.ts";
import { warn } from "./terminal.ts";

/** Values of {@linkcode withTarget}'s options. */
export interface TargetOptions {
  readonly target?: string;
  readonly systemMap?: string;
  readonly safeRead?: boolean;
  readonly cache: boolean;
}

/**
 * Adds the target's options to a command.
 *
 * @param byDefault what is meant when no target is named
 */
export function withTarget<
  Args extends unknown[],
  Opts extends OptionValues,
  Global extends OptionValues,
>(
  command: Command<Args, Opts, Global>,
  byDefault = "XFTRACE_TARGET, else the only VM that runs",
) {
  return command
    .option(
      "-t, --target <target>",
      `${TARGET_FORMS} (default: ${byDefault})`,
    )
    .option("--system-map <file>", "take symbols from a System.map")
    .option("--safe-read", "read without mapping the memory: slower, no SIGBUS")
    .option("--no-cache", "neither use nor write the cache of kernels");
}

/**
 * The target of a command that takes one as an argument too: both forms may
 * be given when they say the same.
 *
 * @throws {XftraceError} (exit code 64) when they name two targets.
 */
export function oneTarget(
  argument: string | undefined,
  option: string | undefined,
): string | undefined {
  if (argument === undefined || option === undefined || argument === option) {
    return argument ?? option;
  }
  throw usage(
    `two targets are given, ${argument} and, with -t, ${option}; give one of them`,
  );
}

/** Names of steps and how long they took. */
export type Steps = { step: string; ms: number }[];

/**
 * Opens what the options say.
 *
 * @param more.steps filled with the steps of attaching
 * @throws {XftraceError} in one sentence.
 */
export function openGuest(
  options: TargetOptions,
  more: { steered?: boolean; steps?: Steps } = {},
): Promise<Guest> {
  return open(options.target, {
    cache: options.cache,
    onWarning: warn,
    onStep: (step, ms) => more.steps?.push({ step, ms }),
    ...(more.steered === undefined ? {} : { steered: more.steered }),
    ...(options.safeRead === true ? { safeRead: true } : {}),
    ...(options.systemMap === undefined
      ? {}
      : { systemMap: options.systemMap }),
  });
}
