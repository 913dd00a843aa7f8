/**
 * QEMU's guest agent at the socket that QEMU made for its port. Like a monitor
 * it serves one client at a time, and unlike it the other side is the guest:
 * silence, floods and garbage end in an error.
 *
 * Source: docs/interop/qemu-ga.rst and qga/qapi-schema.json of QEMU
 * (guest-sync-delimited).
 *
 * @module
 */
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
  /** For its first answer. */
  readonly sync: number;
  /** For every other. */
  readonly answer: number;
}

/** Emulated guests on a busy host take a second for what takes a real one 1 ms. */
const LIMITS: AgentLimits = { sync: 5000, answer: 20_000 };
/** A chunk of a file as base64 has 88 KiB, a program's output at most 16 MiB. */
const ANSWER_BYTES = 2 ** 25;
const LINE_FEED = 10;
/** No byte of UTF-8: it begins the answer to guest-sync-delimited. */
const DELIMITER = 0xff;

/** A connection to a guest's agent; closed by `[Symbol.dispose]`. */
export class AgentSocket implements AgentLink {
  readonly where: string;
  readonly #target: string;
  readonly #limits: AgentLimits;
  readonly #socket: UnixSocket;
  /** Whether it has answered at all. */
  #answers = false;
  /** After silence, what comes may belong to the question before. */
  #lost = false;

  /**
   * Connects, and waits until the agent answers.
   *
   * @param target the guest, for messages
   * @throws {XftraceError} when nobody answers there.
   */
  constructor(path: string, target: string, limits: AgentLimits = LIMITS) {
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
    );
    try {
      this.#synchronize();
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** What others asked for before is dropped, up to the answer to this. */
  #synchronize(): void {
    const id = crypto.getRandomValues(new Uint32Array(1))[0];
    const until = performance.now() + this.#limits.sync;
    const next = (delimiter: number) =>
      this.#socket.until(delimiter, until - performance.now(), "no answer");
    // The delimiter ends what another client has left half said.
    this.#send("guest-sync-delimited", { id }, [DELIMITER]);
    while (!this.#answers) {
      next(DELIMITER);
      this.#answers = isAnswer(next(LINE_FEED), id);
    }
  }

  /** Asks one command; see {@linkcode AgentLink}. */
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
    const answer: unknown = JSON.parse(new TextDecoder().decode(line));
    return typeof answer === "object" && answer !== null &&
      "return" in answer && answer.return === id;
  } catch {
    // What another client was told.
    return false;
  }
}

/** Nobody has answered at an agent's socket. */
export class SilentAgent extends XftraceError {
  override readonly name = "SilentAgent";

  /** @param why what is known of the reason */
  constructor(
    target: string,
    path: string,
    why =
      "it does not run (install and start qemu-guest-agent there), or another program has the socket",
  ) {
    super(`no guest agent of ${target} answers at ${path}: ${why}`);
  }
}
