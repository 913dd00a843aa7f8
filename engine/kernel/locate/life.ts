/**
 * Whether the kernel that was opened still runs. A guest that restarts (reboot,
 * kexec) keeps its process and its memory, and the old kernel may lie there
 * untouched for a while, but nothing that is read there is about the guest any
 * more, and what is written there changes somebody else's memory.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { AddressSpace } from "../../memory/address_space.ts";
import type { HostTimes, Life } from "../core/kernel.ts";
import type { Symbols } from "../symbols/symbols.ts";
import type { Types } from "../btf/types.ts";

/**
 * How long, in ms, a kernel counts as running after its clock was last seen to
 * advance: less than a restart takes to overwrite memory, and more than a tick.
 */
const FRESH_MS = 60;
/** Time in ms between two full comparisons while the clock stands still. */
const COMPARE_MS = 1000;
/** The least ratio of that time to how long a comparison took. */
const SHARE = 50;
/**
 * How long, in ms, a clock may stand still before the guest counts as stuck, and
 * for how long its processors must have run by then, unless they hardly want to:
 * a restart would have overwritten what identifies the kernel. (On a host that
 * gives a guest a twentieth of a processor, that took 76 s.) What a guest that is
 * stuck still writes is worth reading.
 */
const STUCK_MS = 60_000;
/** The share of time for which the processors of an idle guest want to run. */
const IDLE_SHARE = 0.3;
/** Bytes of the banner that are compared at each look. */
const BANNER_BYTES = 64;

/** What a watch looks at. */
export interface Watched {
  readonly space: AddressSpace;
  readonly symbols: Symbols;
  readonly types: Types;
  /** GVA of `linux_banner`. */
  readonly banner: bigint;
  /** What is no longer as it was, by a full comparison. */
  readonly changed: () => string | undefined;
}

/** Where something was when the kernel was described, and its bytes then. */
interface Mark {
  readonly gpa: number;
  readonly bytes: Uint8Array;
  readonly now: Uint8Array;
}

/**
 * GVA of a secret that each boot draws anew: the value that guards the first
 * task's stack (boot_init_stack_canary()); `undefined` in kernels without.
 */
function secretOf({ symbols, types }: Pick<Watched, "symbols" | "types">) {
  const task = symbols.tryAddress("init_task");
  const offset = types.tryOffset("task_struct", "stack_canary");
  return task === undefined || offset === undefined
    ? undefined
    : task + BigInt(offset);
}

/**
 * Identifies one boot of a kernel: two boots of the same kernel at the same
 * address have different ones. A digest, since it is made from secrets of the
 * guest. A guest that wants to can change it at any time.
 */
export function bootMark(
  kernel: Pick<Watched, "space" | "symbols" | "types" | "banner">,
): string {
  const digest = createHash("sha256");
  const secret = secretOf(kernel);
  digest.update(`${kernel.symbols.tryAddress("_stext")} `);
  for (const [gva, size] of [[kernel.banner, BANNER_BYTES], [secret, 8]]) {
    if (gva === undefined) continue;
    try {
      digest.update(kernel.space.bytes(BigInt(gva), Number(size)));
    } catch (error) {
      // A recording may lack it.
      if (!(error instanceof MemoryError)) throw error;
    }
  }
  return digest.digest("hex").slice(0, 32);
}

/** Watches whether a kernel still runs. */
export class LifeWatch {
  readonly #watched: Watched;
  readonly #clock: () => number;
  readonly #marks: readonly Mark[];
  /** GPA of the clock; `undefined` when the kernel names none. */
  readonly #ticksGpa: number | undefined;
  readonly #word = new Uint8Array(8);
  readonly #view = new DataView(this.#word.buffer);
  #ticks: bigint;
  /**
   * When the clock was last seen to advance, ms; `undefined` when it never was:
   * a guest that was paused when it was opened can be read.
   */
  #advanced: number | undefined;
  /** When the watch began, ms. */
  readonly #since: number;
  /** When to compare next, ms. */
  #compareAt = 0;
  #other = false;
  #times: HostTimes | undefined;
  /** What they were when the clock was first found standing still. */
  #stood: { readonly ran: number; readonly waited: number } | undefined;
  #stuck = false;

  /** @throws {MemoryError} when the kernel cannot be read. */
  constructor(watched: Watched, clock: () => number = () => performance.now()) {
    const { space, symbols, banner } = watched;
    this.#watched = watched;
    this.#clock = clock;
    const mark = (gva: bigint, size: number): Mark => {
      const bytes = space.bytes(gva, size).slice();
      const { gpa } = space.translate(gva);
      return { gpa, bytes, now: new Uint8Array(bytes.length) };
    };
    const secret = secretOf(watched);
    this.#marks = [
      mark(banner, BANNER_BYTES),
      ...(secret === undefined ? [] : [mark(secret, 8)]),
    ];
    const ticks = symbols.tryAddress("jiffies_64") ??
      symbols.tryAddress("jiffies");
    this.#ticksGpa = ticks === undefined
      ? undefined
      : space.translate(ticks).gpa;
    this.#ticks = this.#readTicks();
    this.#since = clock();
  }

  #readTicks(): bigint {
    if (this.#ticksGpa === undefined) return 0n;
    this.#watched.space.memory.read(this.#ticksGpa, this.#word);
    return this.#view.getBigUint64(0, true);
  }

  /**
   * Looks at the kernel. Takes microseconds; once a second some milliseconds
   * while its clock stands still.
   *
   * @throws {GuestGoneError} when the guest has ended.
   */
  look(): Life {
    if (this.#other) return "other";
    const { memory } = this.#watched.space;
    for (const { gpa, bytes, now } of this.#marks) {
      memory.read(gpa, now);
      for (let i = 0; i < bytes.length; i++) {
        if (now[i] !== bytes[i]) return this.#isOther();
      }
    }
    if (this.#ticksGpa === undefined) return "runs";
    const time = this.#clock();
    const ticks = this.#readTicks();
    if (ticks < this.#ticks) return this.#isOther();
    if (ticks > this.#ticks) {
      this.#ticks = ticks;
      this.#advanced = time;
      this.#compareAt = time + COMPARE_MS;
      this.#stood = undefined;
      this.#stuck = false;
      return "runs";
    }
    const still = time - (this.#advanced ?? this.#since);
    if (still <= FRESH_MS) return "runs";
    this.#stood ??= this.#hostTimes();
    if (time >= this.#compareAt) {
      this.#stuck ||= this.#isStuck(still);
      if (this.#compare() !== undefined) return this.#isOther();
      const now = this.#clock();
      // A large guest's memory takes long to look through.
      this.#compareAt = now + Math.max(COMPARE_MS, SHARE * (now - time));
    }
    return this.#advanced === undefined || this.#stuck ? "runs" : "still";
  }

  /** Has the guest's progress measured by what the host lets it run. */
  measure(times: HostTimes): void {
    this.#times = times;
  }

  #hostTimes() {
    return {
      ran: this.#times?.cpuMs() ?? 0,
      waited: this.#times?.waitMs() ?? 0,
    };
  }

  /** @param still for how long the clock has been standing still, ms */
  #isStuck(still: number): boolean {
    if (still <= STUCK_MS) return false;
    if (this.#times === undefined || this.#stood === undefined) return true;
    const now = this.#hostTimes();
    const ran = now.ran - this.#stood.ran;
    const wanted = ran + now.waited - this.#stood.waited;
    return wanted < still * IDLE_SHARE || ran > STUCK_MS;
  }

  /**
   * For how long the clock has not been seen to advance, in ms, since the watch
   * began at most.
   *
   * @throws {GuestGoneError} when the guest has ended.
   */
  stillMs(): number {
    this.look();
    return this.#ticksGpa === undefined
      ? 0
      : this.#clock() - (this.#advanced ?? this.#since);
  }

  #compare(): string | undefined {
    try {
      return this.#watched.changed();
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      return error.message;
    }
  }

  #isOther(): Life {
    this.#other = true;
    return "other";
  }
}
