/**
 * Speaks to QEMU's guest agent through the Unix socket of its port. Like a
 * monitor, it serves one client at a time. Unlike a monitor, the other side is
 * the guest, which is not trusted: silence, floods and garbage end in an error.
 *
 * Source: docs/interop/qemu-ga.rst and qga/qapi-schema.json of QEMU
 * (guest-sync-delimited).
 *
 * @module
 */
import { parseJson } from "../engine/base/json.ts";
import {
  type AgentArguments,
  type AgentLink,
  type AskOptions,
  returned,
} from "../engine/agent/link.ts";
import { XftraceError } from "../engine/base/errors.ts";
import { UnixSocket } from "./unix_socket.ts";

/** How long to wait for the agent, ms. */
export interface AgentLimits {
  /** For the first answer. */
  readonly sync: number;
  /** For each later answer. */
  readonly answer: number;
}

/**
 * An emulated guest on a busy host may need a second for what takes a real one
 * 1 ms.
 */
const LIMITS: AgentLimits = { sync: 5000, answer: 20_000 };
/**
 * A chunk of a file takes 88 KiB as base64, a program's output at most 16 MiB.
 */
const ANSWER_BYTES = 2 ** 25;
const LINE_FEED = 10;
/**
 * Never part of UTF-8 text: marks the beginning of the answer to
 * guest-sync-delimited.
 */
const DELIMITER = 0xff;

/** A connection to a guest's agent; closed by `[Symbol.dispose]`. */
export class AgentSocket implements AgentLink {
  readonly where: string;
  readonly #target: string;
  readonly #limits: AgentLimits;
  readonly #socket: UnixSocket;
  /** Whether the agent has answered at all. */
  #answers = false;
  /**
   * Whether a command was left unanswered: what comes then may be its late
   * answer.
   */
  #lost = false;

  /**
   * Connects, and waits for the agent's first answer.
   *
   * @param target the guest, for messages
   * @param owner the user id under which QEMU runs; default: any
   * @throws {XftraceError} when no agent answers, or another user listens.
   */
  constructor(
    path: string,
    target: string,
    limits: AgentLimits = LIMITS,
    owner?: number,
  ) {
    this.where = path;
    this.#target = target;
    this.#limits = limits;
    this.#socket = new UnixSocket(
      path,
      (why, silent) =>
        silent && !this.#answers
          ? new SilentAgent(target, path)
          : this.#failed(why),
      ANSWER_BYTES,
      owner,
    );
    try {
      this.#synchronize();
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Drops answers to earlier clients, up to the answer to this client's sync
   * command.
   */
  #synchronize(): void {
    const id = crypto.getRandomValues(new Uint32Array(1))[0];
    const until = performance.now() + this.#limits.sync;
    const next = (delimiter: number) =>
      this.#socket.until(delimiter, until - performance.now(), "no answer");
    // The delimiter makes the agent drop a command that another client left
    // incomplete.
    this.#send("guest-sync-delimited", { id }, [DELIMITER]);
    while (!this.#answers) {
      next(DELIMITER);
      this.#answers = isAnswer(next(LINE_FEED), id);
    }
  }

  /** Sends a command and waits for its answer; see {@linkcode AgentLink}. */
  async ask(
    command: string,
    args: AgentArguments = {},
    options: AskOptions = {},
  ): Promise<unknown> {
    if (this.#lost) throw this.#failed("it has not answered before");
    const { timeoutMs = this.#limits.answer, onWait } = options;
    this.#lost = true;
    this.#send(command, args);
    const line = await this.#socket.untilLater(
      LINE_FEED,
      timeoutMs,
      `no answer to ${command} within ${timeoutMs / 1000} s`,
      onWait,
    );
    this.#lost = false;
    return returned(this.#target, command, new TextDecoder().decode(line));
  }

  #send(
    command: string,
    args: AgentArguments,
    before: readonly number[] = [],
  ): void {
    const text = JSON.stringify({ execute: command, arguments: args }) + "\n";
    const bytes = new TextEncoder().encode(text);
    const all = new Uint8Array(before.length + bytes.length);
    all.set(before);
    all.set(bytes, before.length);
    this.#socket.send(all, this.#limits.answer, `it does not take ${command}`);
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }

  #failed(why: string): XftraceError {
    return new XftraceError(
      `the guest agent of ${this.#target} at ${this.where} cannot be asked: ${why}`,
    );
  }
}

/** Whether a line is the answer to guest-sync-delimited with this number. */
function isAnswer(line: Uint8Array, id: number): boolean {
  try {
    const answer: unknown = parseJson(new TextDecoder().decode(line));
    return typeof answer === "object" && answer !== null &&
      "return" in answer && answer.return === id;
  } catch {
    // Not JSON: the rest of an answer to another client.
    return false;
  }
}

/** No agent answered at its socket. */
export class SilentAgent extends XftraceError {
  override readonly name = "SilentAgent";

  /** @param why the reason, as far as it is known */
  constructor(
    target: string,
    path: string,
    why =
      "it does not run (install and start qemu-guest-agent there), or another program has the socket",
  ) {
    super(`no guest agent of ${target} answers at ${path}: ${why}`);
  }
}
