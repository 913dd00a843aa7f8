/**
 * Runs libvirt's virsh.
 *
 * @module
 */
import { XftraceError } from "../engine/base/errors.ts";
import { Proc } from "../engine/targets/proc.ts";
import type { VmProcess } from "../engine/targets/vm.ts";

/**
 * The most bytes of virsh's output that are kept: libvirt's own limit is 10
 * MiB.
 */
const OUTPUT_BYTES = 2 ** 24;

/**
 * Runs virsh, and keeps a bounded part of its output.
 *
 * @param seconds after which virsh itself is ended: its --timeout covers only
 * what libvirt waits for
 * @throws {XftraceError} when it is not installed, or has to be ended.
 */
export async function virsh(
  args: readonly string[],
  seconds: number,
): Promise<{ code: number; out: string; err: string }> {
  const limit = AbortSignal.timeout(seconds * 1000);
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("virsh", {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      // Its messages are recognized by their English words.
      env: { LC_ALL: "C" },
      signal: limit,
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new XftraceError(
      "the guest is libvirt's, and virsh is not installed here; install libvirt-clients",
    );
  }
  const [out, err, { code }] = await Promise.all([
    bounded(child.stdout),
    bounded(child.stderr),
    child.status,
  ]);
  if (limit.aborted) {
    throw new XftraceError(
      `virsh did not end within ${seconds} s; does libvirt answer?`,
    );
  }
  return { code, out, err };
}

/** The stream's text up to the limit; the rest is read and dropped. */
async function bounded(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const bytes of stream) {
    length += bytes.length;
    if (length <= OUTPUT_BYTES) text += decoder.decode(bytes, { stream: true });
  }
  return text;
}

/**
 * libvirt's URI of a domain's driver; undefined when the environment names one.
 */
export function connectionOf(vm: VmProcess): string | undefined {
  if (
    Deno.env.get("LIBVIRT_DEFAULT_URI") ||
    Deno.env.get("VIRSH_DEFAULT_CONNECT_URI")
  ) return undefined;
  const own = Deno.uid();
  return own !== 0 && new Proc().uid(vm.pid) === own
    ? "qemu:///session"
    : "qemu:///system";
}
