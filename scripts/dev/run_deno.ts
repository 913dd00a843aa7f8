/**
 * Runs Deno and shows what it prints while it prints it.
 *
 * @module
 */
import { CHECKOUT } from "./files.ts";

/** As much of an output's end as is kept to look for the summary. */
const KEPT = 64 * 1024;

/** How a run ended. */
export interface RunEnded {
  readonly success: boolean;
  /** The end of its standard output. */
  readonly output: string;
}

/**
 * Runs this very Deno in the checkout.
 *
 * @param options.quiet keep the output, do not show it
 */
export async function runDeno(
  args: readonly string[],
  options: { readonly quiet?: boolean } = {},
): Promise<RunEnded> {
  const quiet = options.quiet ?? false;
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: CHECKOUT,
    env: {
      ...(Deno.stdout.isTerminal() ? {} : { NO_COLOR: "1" }),
      // As many files at a time as two processors carry.
      DENO_JOBS: "2",
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
