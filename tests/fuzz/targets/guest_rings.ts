/**
 * Ring buffers in a guest's memory: lists of pages that may lead anywhere.
 *
 * @module
 */
import { Follower } from "../../../engine/ftrace/ring/follower.ts";
import { LAYOUT_6_1 } from "../../../engine/ftrace/ring/layout_fixture.ts";
import {
  readBuffers,
  readFirstPage,
} from "../../../engine/ftrace/ring/reader.ts";
import {
  ringGuest,
  writeMany,
} from "../../../engine/ftrace/ring/ring_guest_fixture.ts";
import { readLimits } from "../../../engine/memory/read_limits.ts";
import { allOf } from "../all_of.ts";
import { PatchedMemory } from "../patches.ts";
import type { Target } from "../target.ts";

export const guestRings: Target = {
  name: "guest_rings",
  open() {
    const { guest, rings, instance } = ringGuest([4, 3], { size: 1 << 18 });
    for (const ring of rings) {
      writeMany(ring, 900);
      ring.swap();
      writeMany(ring, 20);
    }
    const { kernel } = guest;
    const memory = new PatchedMemory(guest.bytes, 0x10000);
    return {
      seeds: memory.seeds,
      mutate: (input, random) => memory.mutate(input, random),
      mutateBytes: (input, random) => memory.mutateBytes(input, random),
      run(input) {
        memory.apply(input);
        kernel.space.budget.allow(readLimits(kernel.memory));
        allOf([
          () => readBuffers(instance, LAYOUT_6_1),
          () => readFirstPage(instance, LAYOUT_6_1),
          () => {
            const follower = new Follower(instance, LAYOUT_6_1, {
              fromBuffer: true,
            });
            follower.poll();
            follower.drain(() => {}, { all: true });
            follower.totals();
          },
        ]);
      },
    };
  },
};
