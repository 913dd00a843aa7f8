/**
 * Runs Deno, and passes its output on while it runs.
 *
 * @module
 */
import { CHECKOUT } from "./files.ts";

/** How much of the end of the output is kept, in which the summary is. */
const KEPT = 64 * 1024;

/** The result of a run. */
export interface RunEnded {
  readonly success: boolean;
  /** The end of its standard output. */
  readonly output: string;
}

/**
 * Runs the same Deno executable in the checkout.
 *
 * @param options.quiet do not show the output
 * @param options.env variables beside those of this process
 */
export async function runDeno(
  args: readonly string[],
  options: {
    readonly quiet?: boolean;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<RunEnded> {
  const quiet = options.quiet ?? false;
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: CHECKOUT,
    env: {
      ...(Deno.stdout.isTerminal() ? {} : { NO_COLOR: "1" }),
      // How many test files run at the same time: machines may have two
      // processors.
      DENO_JOBS: "2",
      ...options.env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: quiet ? "null" : "inherit",
  }).spawn();
  const decoder = new TextDecoder();
  let output = "";
  for await (const chunk of child.stdout) {
    if (!quiet) writeAll(chunk);
    output = (output + decoder.decode(chunk, { stream: true })).slice(-KEPT);
  }
  const { success } = await child.status;
  return { success, output };
}

function writeAll(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    at += Deno.stdout.writeSync(bytes.subarray(at));
  }
}
