/** `xftrace run`: runs trace scripts. */
import type { Command } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  CompileError,
  EXIT,
  type Guest,
  setRunner,
  XftraceError,
} from "xftrace";
import { executeOn, executeOnDat, openForQueries } from "../execute.ts";
import { datTarget } from "../traces/dat_target.ts";
import { readLine } from "../user_files.ts";
import { withTarget } from "../target.ts";

/** What a module that uses `script()` exports. */
interface ScriptModule {
  readonly default?: { main?: (args: readonly string[]) => Promise<number> };
}

/** Registers `xftrace run` on the program. */
export function registerRun(program: Command): void {
  withTarget(program.command("run"))
    .summary("run a trace script")
    .description(
      "Runs a trace script: a module that awaits traces, or one made with script().",
    )
    .argument("<script>", "a .ts or .js file")
    .argument("[arguments...]", "the script's own options, after --")
    .option("--dry-run", "print the plan, and write nothing")
    .option("--no-push-down", "leave filtering to the host where possible")
    .option("--json", "print results as JSON")
    .addHelpText(
      "after",
      `
Examples:
  xftrace run scripts/opens.ts -t qemu:web1
  xftrace run scripts/slow_syscalls.ts -- --over 1ms
  xftrace run my_trace.ts --dry-run`,
    )
    .action(async (path, args, options) => {
      // One guest for the whole script: its runs know of each other.
      let guest: Promise<Guest> | undefined;
      setRunner(async (queries) => {
        const asked = queries.map((spec) => ({ spec }));
        const silent = { ...options, silent: true };
        const dat = datTarget(options.target);
        const result = dat !== undefined
          ? executeOnDat(dat, asked, silent)
          : await executeOn(
            await (guest ??= openForQueries(options)),
            asked,
            silent,
          );
        if (result !== undefined) return result.results;
        // A dry run has no results with which the script could go on.
        throw new PlanShown();
      });
      try {
        await load(path, args, options);
      } catch (error) {
        if (error instanceof CompileError) {
          const message = error.display(readLine);
          throw new XftraceError(message, {
            exitCode: error.exitCode,
            lines: true,
          });
        }
        if (!(error instanceof PlanShown)) throw error;
      } finally {
        setRunner(undefined);
        // The script may have left a loop, or failed, while a run went on: what
        // that has written is undone before the process ends.
        await guest?.then((open) => open[Symbol.asyncDispose](), () => {});
      }
    });
}

/** Thrown to end a script after its plan was printed. */
class PlanShown extends Error {}

/** More bytes than a script has, which Deno reads whole. */
const MOST_SCRIPT = 16 << 20;

function isFile(path: string): boolean {
  try {
    const { isFile, size } = Deno.statSync(path);
    return isFile && size <= MOST_SCRIPT;
  } catch {
    return false;
  }
}

async function load(
  path: string,
  args: readonly string[],
  options: object,
): Promise<void> {
  if (!isFile(path)) {
    throw new XftraceError(
      `the script ${path} cannot be read: give a file of TypeScript or JavaScript`,
      {
        exitCode: EXIT.usage,
      },
    );
  }
  const module: ScriptModule = await import(
    pathToFileURL(resolve(path)).href
  );
  const main = module.default?.main;
  if (main === undefined) return;
  const code = await main([...flagsOf(options), ...args]);
  if (code !== EXIT.ok) Deno.exitCode = code;
}

/** The command's options as arguments, for a script that reads its own. */
function flagsOf(options: object): string[] {
  const flags: string[] = [];
  for (const [name, value] of Object.entries(options)) {
    const flag = name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
    if (value === true && name !== "cache" && name !== "pushDown") {
      flags.push(`--${flag}`);
    } else if (value === false) flags.push(`--no-${flag}`);
    else if (typeof value === "string") flags.push(`--${flag}`, value);
  }
  return flags;
}
