import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { CpuWords } from "./cpu_words.ts";
import { ringGuest, writeMany } from "./ring_guest_fixture.ts";

Deno.test("a pointer into the middle of a word leads to no buffer", () => {
  const { guest, instance, rings } = ringGuest([3]);
  writeMany(rings[0], 5);
  const [cpu] = instance.buffer().cpuBuffers();
  assert.equal(new CpuWords(cpu).load("entries"), 5);
  const buffers = guest.u64(
    guest.at("trace_buffer", instance.buffer().object.gva, "buffers"),
  );
  for (const by of [1n, 2n, 4n]) {
    guest.setU64(buffers, rings[0].gva + by);
    const [moved] = instance.buffer().cpuBuffers();
    assert.throws(() => new CpuWords(moved), (error) => {
      assert.ok(error instanceof KernelError);
      assert.match(error.message, /the buffer of CPU .* is not aligned/);
      return true;
    });
  }
});
