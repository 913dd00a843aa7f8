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
import { virsh } from "./virsh.ts";

/** How long libvirt waits for an answer by default, ms. */
const ANSWER_MS = 20_000;
/** Time between two calls of `onWait`, ms. */
const WAIT_MS = 100;

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
    ], seconds + 20);
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
