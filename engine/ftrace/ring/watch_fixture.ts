/**
 * A follower whose events are checked as they are decoded.
 *
 * @module
 */
import assert from "node:assert/strict";
import { PageArena } from "./columns.ts";
import { CpuFollower, type FollowStart } from "./cpu_follower.ts";
import { LAYOUT_6_1 } from "./layout_fixture.ts";
import { type SimRing, SUB_BUFFER } from "./ring_fixture.ts";
import {
  checkEvent,
  type RingGuest,
  runningGuest,
} from "./ring_guest_fixture.ts";

/** The time from which simulated rings count. */
export const EPOCH = 1_000_000_000_000n;

/** A follower whose events are checked as they are decoded. */
export class Watch {
  readonly follower: CpuFollower;
  /** Sequence numbers in the order in which they were decoded. */
  readonly seen: number[] = [];
  readonly #ring: SimRing;
  /** The number of polls begun, and of those finished. */
  readonly polls = { begun: 0, over: 0 };
  /** Whether the follower is informed of resets. */
  told = true;
  #resets = 0;

  constructor({ buffer, rings }: RingGuest, start: FollowStart = {}) {
    this.#ring = rings[0];
    this.follower = new CpuFollower(
      buffer.cpuBuffers()[0],
      new PageArena(SUB_BUFFER),
      LAYOUT_6_1,
      EPOCH,
    );
    this.follower.start(start);
  }

  get account() {
    return this.follower.account;
  }

  poll(): void {
    this.polls.begun++;
    // A real guest reveals a reset by the start time of its trace.
    if (this.told && this.#ring.resets !== this.#resets) {
      this.follower.expectReset();
    }
    this.#resets = this.#ring.resets;
    this.follower.poll(-Infinity);
    this.polls.over++;
    const { queue } = this.follower;
    const { columns, arena } = queue;
    for (let row = queue.head; row < columns.length; row++) {
      const sequence = checkEvent(this.#ring, columns, row, arena);
      const last = this.seen.at(-1) ?? -1;
      assert.ok(sequence > last, `event ${sequence} comes after ${last}`);
      this.seen.push(sequence);
    }
    queue.release(columns.length);
    assert.equal(this.account.decoded, this.seen.length);
  }

  /** Polls until the counts agree, as they must when the guest is idle. */
  settle(): void {
    for (let i = 0; i < 5; i++) this.poll();
    assert.equal(this.account.exact, true);
  }
}

/**
 * A guest with a hook (`memory.tick`) that runs before each read of its memory.
 */
export function watched(pages: number) {
  const { sim, memory } = runningGuest([pages]);
  return { ring: sim.rings[0], watch: new Watch(sim), memory };
}
