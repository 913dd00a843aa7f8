/**
 * The host's clocks by number, as the host's own traces have them.
 *
 * @module
 */
import { XftraceError } from "../engine/base/errors.ts";
import { errno, errnoText, libc } from "./libc.ts";

/**
 * Numbers of the host's clocks (include/uapi/linux/time.h), by the names that
 * trace clocks have.
 *
 * @example
 * ```ts
 * import { HOST_CLOCKS } from "xftrace/live";
 *
 * console.log(Object.keys(HOST_CLOCKS)); // mono, mono_raw, boot, tai
 * ```
 */
export const HOST_CLOCKS = {
  mono: 1,
  mono_raw: 4,
  boot: 7,
  tai: 11,
} as const;

/** Numbers of clocks that no trace has. */
const OTHER_CLOCKS = { real: 0 } as const;

/**
 * A clock of the host.
 *
 * @example
 * ```ts
 * import { HostClock } from "xftrace/live";
 *
 * const clock = new HostClock("mono");
 * const before = clock.now();
 * console.log(clock.now() >= before); // true
 * ```
 */
export class HostClock {
  readonly #id: number;
  readonly #time = new DataView(new ArrayBuffer(16));
  readonly #bytes = new Uint8Array(this.#time.buffer);
  readonly #zero: number;

  /**
   * @param name as in a `trace_clock` file; `real` is the wall clock
   * @throws {XftraceError} when this host has no such clock, or FFI is not
   * permitted.
   */
  constructor(
    name: keyof typeof HOST_CLOCKS | keyof typeof OTHER_CLOCKS = "mono",
  ) {
    this.#id = { ...HOST_CLOCKS, ...OTHER_CLOCKS }[name];
    this.#zero = this.#read();
  }

  /** The whole second at which it was opened, in ns: {@linkcode now} counts from there. */
  get base(): bigint {
    return BigInt(this.#zero) * 1_000_000_000n;
  }

  /** Its time since {@linkcode base}, in ns. */
  now(): number {
    const seconds = this.#read() - this.#zero;
    return seconds * 1e9 + this.#time.getUint32(8, true);
  }

  /** Reads it; returns its seconds. */
  #read(): number {
    if (libc().clock_gettime(this.#id, this.#bytes) !== 0) {
      throw new XftraceError(
        `the host's clock ${this.#id} cannot be read: ${errnoText(errno())}`,
      );
    }
    return this.#time.getUint32(4, true) * 2 ** 32 +
      this.#time.getUint32(0, true);
  }
}
