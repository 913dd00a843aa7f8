/**
 * Makes a command of a trace script, with its own options, those of the target,
 * and `--help`.
 *
 * @module
 */
import { Command } from "@commander-js/extra-typings";
import { CompileError, EXIT, type Query, XftraceError } from "xftrace";
import { execute, type ExecuteOptions } from "./cli/execute.ts";
import { readLine } from "./cli/user_files.ts";
import { withTarget } from "./cli/target.ts";
import { note, noteError } from "./cli/terminal.ts";

/** An option of the script: its placeholder, its help text, its default. */
export type Flag = readonly [placeholder: string, help: string, value?: string];

/** Describes a script, for `--help`. */
export interface About<F extends Readonly<Record<string, Flag>>> {
  /** `opens`. */
  readonly name: string;
  /** One sentence. */
  readonly description: string;
  /** The options, by name. */
  readonly flags: F;
  /** Command lines to show, without the script's name. */
  readonly examples: readonly string[];
}

/** Values of the options: those without a default may be missing. */
export type FlagValues<F extends Readonly<Record<string, Flag>>> = {
  readonly [N in keyof F]: F[N] extends readonly [string, string, string]
    ? string
    : string | undefined;
};

/** A trace script. */
export interface Script {
  readonly name: string;
  /** The queries for these options of the script. */
  queries(args?: readonly string[]): readonly Query<unknown>[];
  /** Runs the script; gives the exit code. */
  main(args?: readonly string[]): Promise<number>;
}

/**
 * Defines a script. Its module ends with
 * `if (import.meta.main) Deno.exit(await name.main());`
 */
export function script<const F extends Readonly<Record<string, Flag>>>(
  about: About<F>,
  build: (flags: FlagValues<F>) => readonly Query<unknown>[],
): Script {
  const values = (options: object): FlagValues<F> => options as FlagValues<F>;
  return {
    name: about.name,
    queries: (args = []) => {
      const command = commandOf(about).exitOverride();
      command.parse([...args], { from: "user" });
      return build(values(command.opts()));
    },
    main: async (args = Deno.args) => {
      const command = commandOf(about);
      return await reported(async () => {
        command.parse([...args], { from: "user" });
        const options: ExecuteOptions = command.opts();
        const queries = build(values(options));
        await execute(queries, options);
      });
    },
  };
}

function commandOf<F extends Readonly<Record<string, Flag>>>(
  about: About<F>,
) {
  const command = new Command(about.name).description(about.description)
    // Looking for colours in the environment would need a permission.
    .configureOutput({
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (
    const [name, [placeholder, help, value]] of Object.entries(about.flags)
  ) {
    command.option(`--${name} <${placeholder}>`, help, value);
  }
  const full = withTarget(command)
    .option("--dry-run", "print the plan, and write nothing")
    .option("--no-push-down", "leave filtering to the host where possible")
    .option("--json", "print results as JSON")
    .showHelpAfterError("(run with --help for examples)");
  const lines = about.examples.map((each) =>
    `  ${about.name} ${each}`.trimEnd()
  );
  full.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
  return full;
}

/** Runs `work`; errors for the user are printed, not thrown. */
export async function reported(work: () => Promise<void>): Promise<number> {
  try {
    await work();
    return EXIT.ok;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return EXIT.ok;
    if (error instanceof Deno.errors.NotCapable) {
      // Deno allows reading /proc, where guests are found, only with -A.
      note(
        "xftrace: this takes more permissions than Deno was given: a live guest needs `deno run -A`, a recording (-t core:FILE) `--allow-read`",
      );
      return EXIT.usage;
    }
    if (!(error instanceof XftraceError)) throw error;
    noteError(
      error instanceof CompileError
        ? new XftraceError(error.display(readLine), { lines: true })
        : error,
    );
    return error.exitCode;
  }
}
