/**
 * Runs commands on the host.
 *
 * @module
 */

import { LabError } from "./errors.ts";

/** The result of a command on the host. */
export interface RunResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of {@link run}. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

/**
 * Runs a command on the host to its end, without input and in the C locale. A
 * missing command gives status 127, as in a shell.
 */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(command, {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      cwd: options.cwd,
      env: { LC_ALL: "C", ...options.env },
    }).output();
    const decoder = new TextDecoder();
    return {
      status: code,
      stdout: decoder.decode(stdout),
      stderr: decoder.decode(stderr),
    };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { status: 127, stdout: "", stderr: `${command}: not found` };
  }
}

/** Like {@link run}, but a non-zero status is a {@link LabError}. */
export async function runOrFail(
  command: string,
  args: readonly string[],
  what: string,
  options: RunOptions = {},
): Promise<string> {
  const result = await run(command, args, options);
  if (result.status === 0) return result.stdout;
  const said = result.stderr.trim().split("\n").slice(-3).join("; ");
  throw new LabError(
    `${what} failed: ${command} ended with status ${result.status}` +
      (said ? ` (${said})` : ""),
  );
}

/** Whether a command is on the PATH. */
export async function hasCommand(command: string): Promise<boolean> {
  const { status } = await run("sh", ["-c", 'command -v "$0"', command]);
  return status === 0;
}
