/**
 * A client of QEMU's machine protocol (QMP) with short time limits: a monitor
 * serves one client at a time, and leaves the others without a greeting.
 *
 * @module
 */
import { parseJson } from "../engine/base/json.ts";
import { z } from "zod";
import { XftraceError } from "../engine/base/errors.ts";
import { shownText } from "../engine/base/shown.ts";
import type { AskQemu } from "../engine/targets/qmp_layout.ts";
import { UnixSocket } from "./unix_socket.ts";

/** How long to wait for the greeting, and for each answer, ms. */
export interface QmpLimits {
  readonly greeting: number;
  readonly answer: number;
}

/**
 * A free monitor greets at once, and answers `info mtree` within milliseconds.
 */
const LIMITS: QmpLimits = { greeting: 500, answer: 3000 };
/** `info mtree` of a machine with many devices has some 100 KiB. */
const ANSWER_BYTES = 2 ** 24;
const LINE_FEED = 10;

const ANSWER = z.union([
  z.object({ return: z.unknown() }),
  z.object({ error: z.object({ desc: z.string() }) }),
  z.object({ event: z.string() }),
  z.object({ QMP: z.unknown() }),
]);

/** A connection; closed by `[Symbol.dispose]`. */
export class QmpClient implements Disposable {
  readonly #path: string;
  readonly #limits: QmpLimits;
  readonly #socket: UnixSocket;

  /**
   * Connects and negotiates capabilities.
   *
   * @param pid the process that must listen there; default: any
   * @throws {XftraceError} when there is no such socket, it is not QMP's, it is
   * another process's, or the monitor serves another client.
   */
  constructor(path: string, limits: QmpLimits = LIMITS, pid?: number) {
    this.#path = path;
    this.#limits = limits;
    this.#socket = new UnixSocket(
      path,
      (why) => this.#failed(why),
      ANSWER_BYTES,
    );
    try {
      const { peer } = this.#socket;
      if (pid !== undefined && peer !== pid) {
        throw this.#failed(
          `process ${peer ?? "?"} listens there, and not the VM's own`,
        );
      }
      const greeting = this.#line(limits.greeting, "it serves another client");
      if (!("QMP" in greeting)) throw this.#failed("it is no QMP monitor");
      this.ask("qmp_capabilities");
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Runs a command and gives its `return` value. Throws {@link XftraceError}.
   */
  readonly ask: AskQemu = (command, args = {}) => {
    const text = JSON.stringify({ execute: command, arguments: args }) + "\n";
    const { answer: ms } = this.#limits;
    this.#socket.send(
      new TextEncoder().encode(text),
      ms,
      "it takes no command",
    );
    // Events may come in between, but not for ever.
    const until = performance.now() + ms;
    for (;;) {
      const answer = this.#line(
        Math.max(0, until - performance.now()),
        `no answer to ${command}`,
      );
      if ("error" in answer) {
        throw this.#failed(`${command}: ${shownText(answer.error.desc, 200)}`);
      }
      if ("return" in answer) return answer.return;
    }
  };

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }

  /**
   * Reads the next message within `ms`; `late` is the reason to give if none
   * comes.
   */
  #line(ms: number, late: string): z.infer<typeof ANSWER> {
    const line = this.#socket.until(LINE_FEED, ms, late);
    try {
      return ANSWER.parse(parseJson(new TextDecoder().decode(line)));
    } catch {
      throw this.#failed("it is no QMP monitor");
    }
  }

  #failed(why: string): XftraceError {
    return new XftraceError(
      `QEMU's monitor at ${this.#path} cannot be asked: ${why}`,
    );
  }
}
