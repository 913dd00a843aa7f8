/**
 * Errors that a user can act on: one sentence that names the thing and the
 * fix. The commands print their message alone, without a stack trace.
 *
 * @module
 */

/** Process exit codes of the commands, documented in `xftrace --help`. */
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

/**
 * An error whose message is meant for the user: it names what is wrong and
 * what to do about it.
 */
export class XftraceError extends Error {
  /** The exit code a command ends with on this error. */
  readonly exitCode: number;

  constructor(message: string, options?: ErrorOptions & { exitCode?: number }) {
    super(message, options);
    this.name = "XftraceError";
    this.exitCode = options?.exitCode ?? EXIT.failed;
  }
}

/** A read or write of guest memory that could not be done. */
export class MemoryError extends XftraceError {
  /** The memory layer that refused: a source's name, or `paging`. */
  readonly layer: string;
  /** The address refused: a GPA (physical layers) or a GVA (paging). */
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
    this.address = BigInt(address);
  }
}

/** The guest ended, or its memory went away, while it was in use. */
export class GuestGoneError extends XftraceError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, { ...options, exitCode: EXIT.gone });
    this.name = "GuestGoneError";
  }
}

/** The bytes found are not what the kernel's structures should look like. */
export class KernelError extends XftraceError {
  override readonly name = "KernelError";
}
