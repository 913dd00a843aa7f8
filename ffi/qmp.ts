/**
 * A client of QEMU's machine protocol (QMP) that never waits for long: a
 * monitor serves one client at a time, and the others get no greeting.
 *
 * @module
 */
import { z } from "zod";
import { XftraceError } from "../engine/base/errors.ts";
import type { AskQemu } from "../engine/targets/qmp_layout.ts";
import { ERRNO, errno, errnoText, libc } from "./libc.ts";

const AF_UNIX = 1;
/** SOCK_STREAM, close-on-exec, non-blocking. */
const SOCKET_TYPE = 1 | 0o2000000 | 0o4000;
const MSG_NOSIGNAL = 0x4000;
const POLLIN = 1;
const POLLOUT = 4;
/** Bytes of sockaddr_un's path, the NUL included. */
const PATH_BYTES = 108;

/** How long to wait for the greeting, and for each answer, ms. */
export interface QmpLimits {
  readonly greeting: number;
  readonly answer: number;
}

/** A free monitor greets at once; `info mtree` takes milliseconds. */
const LIMITS: QmpLimits = { greeting: 500, answer: 3000 };

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
  #fd: number;
  #text = "";
  readonly #decoder = new TextDecoder();
  readonly #buffer = new Uint8Array(65536);

  /**
   * Connects and says what is due.
   *
   * @throws {XftraceError} when there is no such socket, or it is not QMP's,
   * or the monitor serves somebody else.
   */
  constructor(path: string, limits: QmpLimits = LIMITS) {
    this.#path = path;
    this.#limits = limits;
    this.#fd = libc().socket(AF_UNIX, SOCKET_TYPE, 0);
    if (this.#fd < 0) throw this.#failed(errnoText(errno()));
    try {
      this.#connect();
      const greeting = this.#line(limits.greeting, "it serves another client");
      if (!("QMP" in greeting)) throw this.#failed("it is no QMP monitor");
      this.ask("qmp_capabilities");
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Runs a command; its `return`. Throws {@link XftraceError}. */
  readonly ask: AskQemu = (command, args = {}) => {
    this.#send(JSON.stringify({ execute: command, arguments: args }) + "\n");
    for (;;) {
      const answer = this.#line(this.#limits.answer, `no answer to ${command}`);
      if ("error" in answer) {
        throw this.#failed(`${command}: ${answer.error.desc}`);
      }
      if ("return" in answer) return answer.return;
    }
  };

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    libc().close(this.#fd);
    this.#fd = -1;
  }

  #connect(): void {
    const path = new TextEncoder().encode(this.#path);
    if (path.length >= PATH_BYTES) throw this.#failed("its path is too long");
    const address = new Uint8Array(2 + PATH_BYTES);
    address[0] = AF_UNIX;
    address.set(path, 2);
    if (libc().connect(this.#fd, address, 3 + path.length) < 0) {
      const code = errno();
      throw this.#failed(
        code === ERRNO.EAGAIN ? "it serves another client" : errnoText(code),
      );
    }
  }

  #send(text: string): void {
    let bytes = new TextEncoder().encode(text);
    const until = performance.now() + this.#limits.answer;
    while (bytes.length > 0) {
      this.#wait(POLLOUT, until, "it takes no command");
      const put = Number(
        libc().send(this.#fd, bytes, BigInt(bytes.length), MSG_NOSIGNAL),
      );
      if (put < 0) throw this.#failed(errnoText(errno()));
      bytes = bytes.subarray(put);
    }
  }

  /** The next message within `ms`; `late` is what it means that none came. */
  #line(ms: number, late: string): z.infer<typeof ANSWER> {
    const until = performance.now() + ms;
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return this.#parsed(line);
      }
      this.#wait(POLLIN, until, late);
      const got = Number(
        libc().recv(this.#fd, this.#buffer, BigInt(this.#buffer.length), 0),
      );
      if (got < 0) throw this.#failed(errnoText(errno()));
      if (got === 0) throw this.#failed("it hung up");
      this.#text += this.#decoder.decode(this.#buffer.subarray(0, got), {
        stream: true,
      });
    }
  }

  #parsed(line: string): z.infer<typeof ANSWER> {
    try {
      return ANSWER.parse(JSON.parse(line));
    } catch {
      throw this.#failed("it is no QMP monitor");
    }
  }

  #wait(events: number, until: number, late: string): void {
    // struct pollfd: fd, events, revents.
    const poll = new Int32Array([this.#fd, events]);
    const left = Math.max(0, Math.ceil(until - performance.now()));
    if (libc().poll(new Uint8Array(poll.buffer), 1n, left) <= 0) {
      throw this.#failed(late);
    }
  }

  #failed(why: string): XftraceError {
    return new XftraceError(
      `QEMU's monitor at ${this.#path} cannot be asked: ${why}`,
    );
  }
}
