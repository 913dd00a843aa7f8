/**
 * Followers whose events are checked as they come.
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
  ringGuest,
  RunningMemory,
} from "./ring_guest_fixture.ts";

/** What times count from: when simulated rings begin. */
export const EPOCH = 1_000_000_000_000n;

/** A follower whose events are checked as they come. */
export class Watch {
  readonly follower: CpuFollower;
  /** Sequence numbers in the order in which they were decoded. */
  readonly seen: number[] = [];
  readonly #ring: SimRing;
  /** Polls that were begun, and how many of them are over. */
  readonly polls = { begun: 0, over: 0 };
  /** Whether the follower is told of resets. */
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
    // The guest tells, by the time at which its trace starts.
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

  /** Polls until the counts agree; they must, when nothing happens. */
  settle(): void {
    for (let i = 0; i < 5; i++) this.poll();
    assert.equal(this.account.exact, true);
  }
}

/** A guest whose memory can be told what happens before a read. */
export function watched(pages: number) {
  const memories: RunningMemory[] = [];
  const sim = ringGuest([pages], {
    memory: (bytes) => {
      memories.push(new RunningMemory(bytes));
      return memories[0];
    },
  });
  return { ring: sim.rings[0], watch: new Watch(sim), memory: memories[0] };
}
