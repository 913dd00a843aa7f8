/**
 * The commands of `xftrace`. Each is loaded only when it is needed, since
 * loading all of them takes most of the time that a command needs to start.
 *
 * @module
 */
import type { Command } from "@commander-js/extra-typings";

/** A file that registers one or more commands. */
interface Commands {
  /** The names of these commands. */
  readonly names: readonly string[];
  /** Imports the function that registers them on a program. */
  readonly load: () => Promise<(program: Command) => void>;
}

/** All commands, in the order in which help lists them. */
export const COMMANDS: readonly Commands[] = [
  {
    names: ["info"],
    load: async () => (await import("./commands/info.ts")).registerInfo,
  },
  {
    names: ["on"],
    load: async () => (await import("./commands/on.ts")).registerOn,
  },
  {
    names: ["status"],
    load: async () => (await import("./commands/status.ts")).registerStatus,
  },
  {
    names: ["off"],
    load: async () => (await import("./commands/off.ts")).registerOff,
  },
  {
    names: ["show"],
    load: async () => (await import("./commands/show.ts")).registerShow,
  },
  {
    names: ["report"],
    load: async () => (await import("./commands/report.ts")).registerReport,
  },
  {
    names: ["record"],
    load: async () => (await import("./commands/record.ts")).registerRecord,
  },
  {
    names: ["convert"],
    load: async () => (await import("./commands/convert.ts")).registerConvert,
  },
  {
    names: ["sql"],
    load: async () => (await import("./commands/sql.ts")).registerSql,
  },
  {
    names: ["completions"],
    load: async () =>
      (await import("./commands/completions.ts")).registerCompletions,
  },
  {
    names: ["open"],
    load: async () => (await import("./commands/open.ts")).registerOpen,
  },
  {
    names: ["top"],
    load: async () => (await import("./commands/top.ts")).registerTop,
  },
  {
    names: ["doctor"],
    load: async () => (await import("./commands/doctor.ts")).registerDoctor,
  },
  {
    names: ["kernel-report"],
    load: async () =>
      (await import("./commands/kernel_report.ts")).registerKernelReport,
  },
  {
    names: ["events"],
    load: async () => (await import("./commands/events.ts")).registerEvents,
  },
  {
    names: ["functions"],
    load: async () =>
      (await import("./commands/functions.ts")).registerFunctions,
  },
  {
    names: ["ps"],
    load: async () => (await import("./commands/ps.ts")).registerPs,
  },
  {
    names: ["snapshot"],
    load: async () => (await import("./commands/snapshot.ts")).registerSnapshot,
  },
  {
    names: ["check"],
    load: async () => (await import("./commands/check.ts")).registerCheck,
  },
  {
    names: ["eval"],
    load: async () => (await import("./commands/eval.ts")).registerEval,
  },
  {
    names: ["guest"],
    load: async () => (await import("./commands/guest.ts")).registerGuest,
  },
  {
    names: ["run"],
    load: async () => (await import("./commands/run.ts")).registerRun,
  },
  {
    names: ["types"],
    load: async () => (await import("./commands/types.ts")).registerTypes,
  },
  {
    names: ["verify"],
    load: async () => (await import("./commands/verify.ts")).registerVerify,
  },
  {
    names: ["baseline", "diff"],
    load: async () => (await import("./commands/baseline.ts")).registerBaseline,
  },
];

/** The command that describes all others, and so needs all of them loaded. */
const OF_ALL = "completions";

/** Options of the program itself, with which no command runs. */
const ALONE = ["-V", "--version"];

/**
 * Registers the command that is going to run. For anything else (help, a
 * mistyped name) registers all commands, so that they can be listed or
 * suggested.
 */
export async function addCommands(
  program: Command,
  name?: string,
): Promise<void> {
  if (name !== undefined && ALONE.includes(name)) return;
  const one = name === undefined || name === OF_ALL
    ? undefined
    : COMMANDS.find(({ names }) => names.includes(name));
  for (const { load } of one === undefined ? COMMANDS : [one]) {
    (await load())(program);
  }
}
