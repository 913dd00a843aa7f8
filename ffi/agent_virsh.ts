/**
 * Speaks to the guest agent of a libvirt domain. libvirt holds the agent's
 * socket, so each command goes through `virsh qemu-agent-command`.
 *
 * @module
 */
import {
  type AgentArguments,
  type AgentLink,
  AgentRefusal,
  type AskOptions,
  returned,
} from "../engine/agent/link.ts";
import { XftraceError } from "../engine/base/errors.ts";
import { shownText } from "../engine/base/shown.ts";

/** How long libvirt waits for an answer by default, ms. */
const ANSWER_MS = 20_000;
/** Time between two calls of `onWait`, ms. */
const WAIT_MS = 100;
/**
 * The most bytes of virsh's output that are kept: libvirt's own limit is 10
 * MiB.
 */
const OUTPUT_BYTES = 2 ** 24;

/** The guest agent of a libvirt domain. */
export class VirshAgent implements AgentLink {
  readonly where = "virsh qemu-agent-command";
  readonly #domain: string;
  readonly #target: string;
  readonly #connection: readonly string[];

  /**
   * @param domain the domain's name or UUID
   * @param target the guest, for messages
   * @param connection libvirt's URI; default: virsh's own choice
   */
  constructor(domain: string, target: string, connection?: string) {
    this.#domain = domain;
    this.#target = target;
    this.#connection = connection === undefined ? [] : ["-c", connection];
  }

  /** Sends a command and waits for its answer; see {@linkcode AgentLink}. */
  async ask(
    command: string,
    args: AgentArguments = {},
    { timeoutMs = ANSWER_MS, onWait }: AskOptions = {},
  ): Promise<unknown> {
    const start = performance.now();
    const waiting = setInterval(
      () => onWait?.(performance.now() - start),
      WAIT_MS,
    );
    try {
      return await this.#ask(command, args, Math.ceil(timeoutMs / 1000));
    } finally {
      clearInterval(waiting);
    }
  }

  async #ask(
    command: string,
    args: AgentArguments,
    seconds: number,
  ): Promise<unknown> {
    const text = JSON.stringify({ execute: command, arguments: args });
    const { code, out, err } = await virsh([
      ...this.#connection,
      "qemu-agent-command",
      // By its option: a name may begin with a dash.
      "--domain",
      this.#domain,
      "--timeout",
      String(seconds),
      text,
    ], seconds);
    if (code === 0) return returned(this.#target, command, out);
    // "internal error: unable to execute QEMU agent command 'NAME': WHY"
    const refusal = /unable to execute QEMU agent command '[^']*': (.*)/.exec(
      err,
    );
    if (refusal !== null) {
      throw new AgentRefusal(this.#target, command, "", refusal[1]);
    }
    throw new XftraceError(
      `libvirt does not reach the guest agent of ${this.#target}: ${
        shownText(err.replace(/^error: /gm, "")) || `virsh ended with ${code}`
      }`,
    );
  }

  /** Does nothing: no connection is kept open. */
  [Symbol.dispose](): void {}
}

/** Runs virsh, and keeps a bounded part of its output. */
async function virsh(
  args: readonly string[],
  seconds: number,
): Promise<{ code: number; out: string; err: string }> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("virsh", {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      // Its messages are recognized by their English words.
      env: { LC_ALL: "C" },
      // Ends virsh itself: its --timeout covers the agent only, not libvirt.
      signal: AbortSignal.timeout((seconds + 20) * 1000),
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
