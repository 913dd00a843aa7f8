/** `xftrace eval`: one-liners. */
import type { Command } from "@commander-js/extra-typings";
import * as language from "../../../mod.ts";
import { EXIT, XftraceError } from "../../../engine/base/errors.ts";
import { didYouMean, nearNames } from "../../../engine/base/near_names.ts";
import { withCaret } from "../../../engine/query/place.ts";
import { execute } from "../execute.ts";
import { readLine, rememberText } from "../read_line.ts";
import { withTarget } from "../target.ts";

/** The name under which errors know the one-liner. */
const URL_OF_TEXT = "file:///one-liner";
/** Lines that stand before the text in the function made of it. */
const LINES_BEFORE = 3;

/**
 * The queries that a one-liner asks for: an expression of the language, or
 * several with commas between them.
 *
 * @throws {XftraceError} when it is none.
 */
export function evaluate(text: string): language.Query<unknown>[] {
  rememberText(URL_OF_TEXT, "\n".repeat(LINES_BEFORE) + text);
  const names = Object.keys(language);
  const values: unknown[] = Object.values(language);
  let found: unknown;
  try {
    const make = new Function(
      ...names,
      `return [\n${text}\n];\n//# sourceURL=${URL_OF_TEXT}`,
    );
    found = make(...values);
  } catch (error) {
    throw explained(error, names);
  }
  const queries = Array.isArray(found) ? found : [];
  if (
    queries.length > 0 &&
    queries.every((each) => each instanceof language.Query)
  ) return queries;
  const trace = queries.some((each) => each instanceof language.Trace);
  throw new XftraceError(
    trace
      ? "the one-liner ends without a sink: add one, such as .print(), .count(comm) or .hist(duration)"
      : 'the one-liner is no trace: write one, such as trace(sys_openat).until("5s").count(comm)',
    { exitCode: EXIT.usage },
  );
}

function explained(error: unknown, names: readonly string[]): unknown {
  if (error instanceof ReferenceError) {
    const name = /^(\S+) is not defined/.exec(error.message)?.[1];
    if (name !== undefined) {
      return new XftraceError(
        `the language has no "${name}"${didYouMean(nearNames(name, names))}`,
        { exitCode: EXIT.usage },
      );
    }
  }
  if (error instanceof SyntaxError || error instanceof TypeError) {
    return new XftraceError(
      `the one-liner is not understood: ${error.message}`,
      {
        exitCode: EXIT.usage,
      },
    );
  }
  return error;
}

/** Adds the command. */
export function registerEval(program: Command): void {
  withTarget(program.command("eval"))
    .summary("run a one-liner of the language")
    .description("Runs an expression of the trace language.")
    .argument("<expression>", "such as 'trace(sys_openat).count(comm)'")
    .option("--instance <name>", "a trace instance instead of the top level")
    .option("--dry-run", "print the plan and write nothing")
    .option("--no-push-down", "tell the guest nothing: filter on the host")
    .option("--json", "print results as JSON")
    .addHelpText(
      "after",
      `
Examples:
  xftrace eval 'trace(sys_openat).until("5s").count(comm)'
  xftrace eval 'trace(sys_read).filter(duration.gt("1ms")).print()'
  xftrace eval 'event("sched:sched_switch").count("next_comm")' -t core:web1.core
  xftrace eval --dry-run 'trace(sys_open).graph()'`,
    )
    .action(async (expression, options) => {
      try {
        const queries = evaluate(expression);
        await execute(queries, options);
      } catch (error) {
        throw withLine(error);
      }
    });
}

/** An error whose message shows the script's line. */
export function withLine(error: unknown): unknown {
  if (!(error instanceof language.CompileError)) return error;
  const text = error.at?.file === URL_OF_TEXT
    // Lines of the one-liner alone are the user's.
    ? withCaret(
      error.message,
      {
        ...error.at,
        file: "the one-liner",
        line: error.at.line - LINES_BEFORE,
      },
      (_file, line) => readLine(URL_OF_TEXT, line + LINES_BEFORE),
    )
    : error.display(readLine);
  return new XftraceError(text, { exitCode: error.exitCode });
}
