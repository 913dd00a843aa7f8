/**
 * A Unix socket that is read up to a delimiter, with limits on time and size:
 * the other side may be silent or hostile.
 *
 * @module
 */
import type { XftraceError } from "../engine/base/errors.ts";
import { isTrustedOwner } from "../engine/base/host_file/owner.ts";
import { sleep } from "../engine/base/polling.ts";
import { ERRNO, errno, errnoText, libc } from "./libc.ts";

const AF_UNIX = 1;
/** SOCK_STREAM, close-on-exec, non-blocking. */
const SOCKET_TYPE = 1 | 0o2000000 | 0o4000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** Bytes of struct ucred: pid, uid, gid. */
const CREDENTIALS_BYTES = 12;
const MSG_NOSIGNAL = 0x4000;
const POLLIN = 1;
const POLLOUT = 4;
/** Bytes of sockaddr_un's path, the NUL included. */
const PATH_BYTES = 108;
const READ_BYTES = 65536;
/** The longest pause between two polls, ms. */
const LONGEST_PAUSE_MS = 20;

/**
 * Makes the error to throw from why the socket could not be used; `silent`: a
 * time limit passed.
 */
export type Failed = (why: string, silent: boolean) => XftraceError;

/** A connection; closed by `[Symbol.dispose]`. */
export class UnixSocket implements Disposable {
  readonly #failed: Failed;
  readonly #limit: number;
  #fd: number;
  /**
   * Bytes received and not yet handed out: the first `#length` of the buffer.
   */
  #held = new Uint8Array(READ_BYTES);
  #length = 0;
  /** How many of them have been searched for the delimiter. */
  #searched = 0;

  /**
   * Connects.
   *
   * @param failed makes the error for whatever goes wrong here
   * @param limit the most bytes that may come before an awaited delimiter
   * @param owner the user id that must listen there, if not root or this user;
   * default: any
   * @throws {XftraceError} when there is no such socket, nothing listens there,
   * or somebody else does.
   */
  constructor(path: string, failed: Failed, limit: number, owner?: number) {
    this.#failed = failed;
    this.#limit = limit;
    this.#fd = libc().socket(AF_UNIX, SOCKET_TYPE, 0);
    if (this.#fd < 0) throw failed(errnoText(errno()), false);
    try {
      this.#connect(new TextEncoder().encode(path));
      if (owner !== undefined) this.#requireListener(owner);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  #connect(path: Uint8Array): void {
    if (path.length >= PATH_BYTES) {
      throw this.#failed("its path is too long", false);
    }
    const address = new Uint8Array(2 + PATH_BYTES);
    address[0] = AF_UNIX;
    address.set(path, 2);
    if (libc().connect(this.#fd, address, 3 + path.length) >= 0) return;
    const code = errno();
    throw this.#failed(
      code === ERRNO.EAGAIN ? "it serves another client" : errnoText(code),
      false,
    );
  }

  /**
   * Compares who listens with whose the socket should be: any user can name any
   * socket on a command line, that of another user's VM as well.
   */
  #requireListener(owner: number): void {
    const peer = this.#peer();
    if (peer === undefined) throw this.#failed(errnoText(errno()), false);
    const { uid } = peer;
    if (uid === owner || isTrustedOwner(uid)) return;
    throw this.#failed(
      `user ${uid} listens there, and the VM is user ${owner}'s`,
      false,
    );
  }

  /**
   * The pid of the process that listens here, as the kernel knows it;
   * `undefined` when it does not tell.
   */
  get peer(): number | undefined {
    const pid = this.#peer()?.pid ?? 0;
    return pid > 0 ? pid : undefined;
  }

  #peer(): { pid: number; uid: number } | undefined {
    // struct ucred: pid, uid, gid.
    const credentials = new Uint8Array(CREDENTIALS_BYTES);
    const length = new Uint32Array([CREDENTIALS_BYTES]);
    const result = libc().getsockopt(
      this.#fd,
      SOL_SOCKET,
      SO_PEERCRED,
      credentials,
      new Uint8Array(length.buffer),
    );
    if (result < 0) return undefined;
    const view = new DataView(credentials.buffer);
    return { pid: view.getInt32(0, true), uid: view.getUint32(4, true) };
  }

  /**
   * Sends all of the bytes.
   *
   * @param ms the time limit
   * @param late the reason to give when the limit passes
   * @throws {XftraceError}
   */
  send(bytes: Uint8Array<ArrayBuffer>, ms: number, late: string): void {
    const until = performance.now() + ms;
    while (bytes.length > 0) {
      this.#wait(POLLOUT, until, late);
      const put = Number(
        libc().send(this.#fd, bytes, BigInt(bytes.length), MSG_NOSIGNAL),
      );
      if (put < 0) throw this.#failed(errnoText(errno()), false);
      bytes = bytes.subarray(put);
    }
  }

  /**
   * Reads up to the next byte `delimiter`, which is dropped. Blocks the thread.
   *
   * @param ms the time limit, however much is received meanwhile
   * @param late the reason to give when the limit passes
   * @throws {XftraceError} also when more than the limit comes before it.
   */
  until(delimiter: number, ms: number, late: string): Uint8Array {
    const until = performance.now() + ms;
    for (;;) {
      const found = this.#taken(delimiter);
      if (found !== undefined) return found;
      this.#wait(POLLIN, until, late);
      this.#receive();
    }
  }

  /**
   * As {@linkcode until}, without blocking the thread.
   *
   * @param onWait called from time to time, with the milliseconds that have
   * passed
   * @throws {XftraceError}
   */
  async untilLater(
    delimiter: number,
    ms: number,
    late: string,
    onWait: (elapsed: number) => void = () => {},
  ): Promise<Uint8Array> {
    const start = performance.now();
    let pause = 1;
    for (;;) {
      const found = this.#taken(delimiter);
      if (found !== undefined) return found;
      if (this.#ready(POLLIN, 0)) {
        this.#receive();
        continue;
      }
      const elapsed = performance.now() - start;
      if (elapsed > ms) throw this.#failed(late, true);
      onWait(elapsed);
      await sleep(pause);
      pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
    }
  }

  /** What was received before the next delimiter, if that has arrived. */
  #taken(delimiter: number): Uint8Array | undefined {
    const end = this.#held.subarray(0, this.#length)
      .indexOf(delimiter, this.#searched);
    if (end < 0) {
      this.#searched = this.#length;
      if (this.#length <= this.#limit) return undefined;
      throw this.#failed(
        `it sends more than ${this.#limit} bytes at once`,
        false,
      );
    }
    const found = this.#held.slice(0, end);
    this.#held.copyWithin(0, end + 1, this.#length);
    this.#length -= end + 1;
    this.#searched = 0;
    return found;
  }

  #receive(): void {
    if (this.#held.length - this.#length < READ_BYTES) {
      const larger = new Uint8Array(this.#held.length * 2);
      larger.set(this.#held);
      this.#held = larger;
    }
    const free = this.#held.subarray(this.#length, this.#length + READ_BYTES);
    const got = Number(libc().recv(this.#fd, free, BigInt(free.length), 0));
    if (got < 0) throw this.#failed(errnoText(errno()), false);
    if (got === 0) throw this.#failed("it hung up", false);
    this.#length += got;
  }

  #wait(events: number, until: number, late: string): void {
    const left = Math.max(0, Math.ceil(until - performance.now()));
    if (!this.#ready(events, left)) throw this.#failed(late, true);
  }

  /** Whether the socket can be read, or written, within some milliseconds. */
  #ready(events: number, ms: number): boolean {
    // struct pollfd: fd, events, revents.
    const poll = new Int32Array([this.#fd, events]);
    return libc().poll(new Uint8Array(poll.buffer), 1n, ms) > 0;
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    libc().close(this.#fd);
    this.#fd = -1;
  }
}
