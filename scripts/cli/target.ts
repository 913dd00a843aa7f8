/**
 * The options of all commands that read a guest, and the function that opens
 * it.
 *
 * @module
 */
import type { Command, OptionValues } from "@commander-js/extra-typings";
import { type Guest, open, readLimits } from "xftrace/live";
import { TARGET_FORMS } from "xftrace/targets";
import { usage } from "./option_values.ts";
import { warn } from "./terminal.ts";

const BY_DEFAULT = "XFTRACE_TARGET, else the only VM that runs";

/** Values of {@linkcode withTarget}'s options. */
export interface TargetOptions {
  readonly target?: string;
  readonly systemMap?: string;
  readonly safeRead?: boolean;
  readonly cache: boolean;
  readonly monitor?: string;
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
  byDefault = BY_DEFAULT,
) {
  return withReading(
    command.option(
      "-t, --target <target>",
      `${TARGET_FORMS} (default: ${byDefault})`,
    ),
  );
}

/** Adds the options of a command that can read several targets at once. */
export function withTargets<
  Args extends unknown[],
  Opts extends OptionValues,
  Global extends OptionValues,
>(command: Command<Args, Opts, Global>) {
  return withReading(
    command.option(
      "-t, --target <target>",
      `${TARGET_FORMS}; may be repeated (default: ${BY_DEFAULT})`,
      (target: string, before: string[] | undefined) => [
        ...before ?? [],
        target,
      ],
    ),
  );
}

/** Adds the options of how a target is read. */
function withReading<
  Args extends unknown[],
  Opts extends OptionValues,
  Global extends OptionValues,
>(command: Command<Args, Opts, Global>) {
  return command
    .option("--system-map <file>", "take symbols from this System.map")
    .option(
      "--safe-read",
      "read memory without mapping it: slower, but safe if its file shrinks",
    )
    .option("--no-cache", "neither read nor write the cache of symbols")
    .option(
      "--monitor <socket>",
      "QEMU's QMP socket, if it is not on its command line",
    );
}

/**
 * The target of a command that also takes it as an argument: both may be given
 * if they are equal.
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

/** Names of steps, and how long each took in ms. */
export type Steps = { step: string; ms: number }[];

/**
 * Opens the target that the options name. Commands end with an error when it
 * takes them more than {@linkcode readLimits} to read it.
 *
 * @param more.steps filled with the steps of attaching
 * @throws {XftraceError} one sentence: what is missing and what to do.
 */
export async function openGuest(
  options: TargetOptions,
  more: { steered?: boolean; steps?: Steps } = {},
): Promise<Guest> {
  const guest = await open(options.target, {
    cache: options.cache,
    onWarning: warn,
    onStep: (step, ms) => more.steps?.push({ step, ms }),
    ...(more.steered === undefined ? {} : { steered: more.steered }),
    ...(options.safeRead === true ? { safeRead: true } : {}),
    ...(options.monitor === undefined ? {} : { monitor: options.monitor }),
    ...(options.systemMap === undefined
      ? {}
      : { systemMap: options.systemMap }),
  });
  const { kernel, memory } = guest.session;
  kernel.space.budget.allow(readLimits(memory));
  return guest;
}
