/**
 * Errors that a user can act on: one sentence that names the thing and the fix.
 * Commands print the message alone, without a stack trace.
 *
 * @module
 */
import { shown, shownLines } from "./shown.ts";

/**
 * Process exit codes of the commands, documented in `xftrace --help`.
 *
 * @example
 * ```ts
 * import { EXIT, XftraceError } from "xftrace";
 *
 * const error = new XftraceError("no such file", { exitCode: EXIT.usage });
 * console.log(error.exitCode); // 64
 * ```
 */
export const EXIT = {
  /** All went well. */
  ok: 0,
  /** Something failed; the message says what. */
  failed: 1,
  /** A check found something. */
  findings: 2,
  /** A check could not judge. */
  unjudged: 3,
  /** The command line is wrong. */
  usage: 64,
  /** The guest ended while it was being read. */
  gone: 69,
} as const;

/** What an error has besides its message. */
export interface XftraceErrorOptions extends ErrorOptions {
  /** The exit code with which a command ends on this error. */
  readonly exitCode?: number;
  /**
   * Whether the message has several lines of ours, in which the texts of others
   * are escaped already.
   */
  readonly lines?: boolean;
}

/**
 * An error whose message is meant for the user: it names what is wrong and
 * what to do about it. What a guest or a file has put into the message is
 * escaped ({@linkcode shown}), so that it can be printed as it is.
 *
 * @example
 * ```ts
 * import { open, XftraceError } from "xftrace";
 *
 * try {
 *   await open("core:nowhere.core");
 * } catch (error) {
 *   if (!(error instanceof XftraceError)) throw error;
 *   console.log(error.message, error.exitCode); // one sentence
 * }
 * ```
 */
export class XftraceError extends Error {
  /** The exit code with which a command ends on this error. */
  readonly exitCode: number;

  constructor(message: string, options?: XftraceErrorOptions) {
    super(
      options?.lines === true ? shownLines(message) : shown(message),
      options,
    );
    this.name = "XftraceError";
    this.exitCode = options?.exitCode ?? EXIT.failed;
  }
}

/**
 * A read or write of guest memory that could not be done.
 *
 * @example
 * ```ts
 * import { MemoryError, open } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * try {
 *   guest.kernel.bytes(0x10n, 4);
 * } catch (error) {
 *   if (!(error instanceof MemoryError)) throw error;
 *   console.log(error.layer, error.address); // paging 16n
 * }
 * ```
 */
export class MemoryError extends XftraceError {
  /** The memory layer that refused: a source's name, or `paging`. */
  readonly layer: string;
  /**
   * The address refused: a GPA (physical layers) or a GVA (paging); -1 when it
   * is no integer.
   */
  readonly address: bigint;

  constructor(
    layer: string,
    address: bigint | number,
    what: string,
    options?: ErrorOptions & { exitCode?: number },
  ) {
    super(`${layer}: ${what} (address 0x${address.toString(16)})`, options);
    this.name = "MemoryError";
    this.layer = layer;
    // What was computed from a guest's numbers may be none.
    this.address = typeof address === "bigint" || Number.isInteger(address)
      ? BigInt(address)
      : -1n;
  }
}

/**
 * The guest ended, or its memory went away, while it was in use.
 *
 * @example
 * ```ts ignore
 * import { GuestGoneError } from "xftrace";
 * import { open, sys_openat, trace } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1");
 * try {
 *   await trace(sys_openat).until("1m").on(guest).print();
 * } catch (error) {
 *   if (!(error instanceof GuestGoneError)) throw error;
 *   console.log("the guest ended while it was traced");
 * }
 * ```
 */
export class GuestGoneError extends XftraceError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, { ...options, exitCode: EXIT.gone });
    this.name = "GuestGoneError";
  }
}

/**
 * The bytes found do not form the kernel structures that were expected.
 *
 * @example
 * ```ts
 * import { KernelError, open } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * try {
 *   guest.kernel.object("no_such_variable");
 * } catch (error) {
 *   if (!(error instanceof KernelError)) throw error;
 *   console.log(error.message); // the kernel has no symbol no_such_variable
 * }
 * ```
 */
export class KernelError extends XftraceError {
  override readonly name = "KernelError";
}
