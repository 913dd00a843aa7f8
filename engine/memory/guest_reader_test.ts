import assert from "node:assert/strict";
import fc from "fast-check";
import { MemoryError } from "../base/errors.ts";
import {
  ascii,
  GuestBytes,
  type ReadGva,
  readUpTo,
  terminated,
  walkList,
} from "./guest_reader.ts";

const BASE = 0xffff888000000000n;

/**
 * Memory of `size` bytes from {@linkcode BASE} on; nothing around it is mapped.
 */
function memory(size: number): {
  view: DataView<ArrayBuffer>;
  read: ReadGva;
  reads: () => number;
} {
  const bytes = new Uint8Array(size);
  let reads = 0;
  return {
    view: new DataView(bytes.buffer),
    reads: () => reads,
    read: (gva, into) => {
      reads++;
      const at = Number(gva - BASE);
      if (at < 0 || at + into.length > size) {
        throw new MemoryError("guest", at, "not mapped");
      }
      into.set(bytes.subarray(at, at + into.length));
    },
  };
}

/** Links the nodes at these offsets into a list; the first one is its head. */
function link(view: DataView, offsets: readonly number[]): void {
  offsets.forEach((at, i) => {
    const next = offsets[(i + 1) % offsets.length];
    view.setBigUint64(at, BASE + BigInt(next), true);
    view.setBigUint64(next + 8, BASE + BigInt(at), true);
  });
}

Deno.test("an object is copied once and then read by offset", () => {
  const { view, read, reads } = memory(64);
  view.setUint32(4, 0xdeadbeef, true);
  view.setBigUint64(8, 1n << 63n, true);
  new Uint8Array(view.buffer).set([0x6c, 0x6f, 0x6f, 0x70, 0, 0x78], 16);
  const bytes = new GuestBytes(read, BASE, 32);
  assert.equal(bytes.u32(4), 0xdeadbeef);
  assert.equal(bytes.u64(8), 1n << 63n);
  assert.equal(ascii(bytes.text(16, 8)), "loop");
  assert.equal(ascii(bytes.text(16, 2)), "lo");
  assert.equal(reads(), 1);
  assert.throws(() => new GuestBytes(read, BASE + 40n, 32), MemoryError);
});

Deno.test("a text ends at a NUL, or at its limit", () => {
  const bytes = new TextEncoder().encode("ab\0cd\0ef");
  assert.equal(ascii(terminated(bytes, 0)), "ab");
  assert.equal(ascii(terminated(bytes, 3, 5)), "cd");
  assert.equal(ascii(terminated(bytes, 6)), "ef");
  assert.equal(ascii(terminated(bytes, 0, 1)), "a");
});

Deno.test("what is mapped is read, in whole pages", () => {
  const { view, read } = memory(2 * 4096);
  view.setUint8(4095, 1);
  view.setUint8(4096, 2);
  assert.deepEqual([...readUpTo(read, BASE + 4095n, 2)], [1, 2]);
  assert.equal(readUpTo(read, BASE + 4000n, 100_000).length, 2 * 4096 - 4000);
  assert.equal(readUpTo(read, BASE - 4096n, 8192).length, 0);
});

Deno.test("a list is walked from its head until it returns there", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([...Array(32).keys()]), (order) => {
      const { view, read } = memory(33 * 16);
      const offsets = [512, ...order.map((slot) => slot * 16)];
      link(view, offsets);
      assert.deepEqual(walkList(read, BASE + 512n), {
        nodes: offsets.slice(1).map((at) => BASE + BigInt(at)),
        complete: true,
      });
    }),
  );
});

Deno.test("a list that loops, or leads to unmapped memory, is not complete", () => {
  const { view, read } = memory(256);
  link(view, [0, 16, 32, 48]);
  view.setBigUint64(48, BASE + 16n, true);
  assert.deepEqual(walkList(read, BASE), {
    nodes: [16n, 32n, 48n].map((at) => BASE + at),
    complete: false,
  });
  view.setBigUint64(48, 0x1234n, true);
  assert.equal(walkList(read, BASE).complete, false);
});

Deno.test("a list that passes nodes over is not complete", () => {
  const { view, read } = memory(256);
  for (const [from, to] of [[0, 32], [16, 48], [32, 0], [0, 0]]) {
    link(view, [0, 16, 32, 48]);
    assert.equal(walkList(read, BASE).complete, true);
    view.setBigUint64(from, BASE + BigInt(to), true);
    assert.equal(walkList(read, BASE).complete, false, `${from} to ${to}`);
  }
  // A prev alone that leads elsewhere.
  link(view, [0, 16, 32, 48]);
  view.setBigUint64(24, 0xdead_0000_0000_0122n, true);
  view.setBigUint64(8, BASE + 16n, true);
  assert.equal(walkList(read, BASE).complete, true);
});

Deno.test("a walk that goes astray once is repeated", () => {
  const { view, read } = memory(256);
  link(view, [0, 16, 32]);
  let first = true;
  const flaky: ReadGva = (gva, into) => {
    if (first && gva === BASE + 32n) {
      first = false;
      throw new MemoryError("guest", 32, "not mapped just now");
    }
    read(gva, into);
  };
  assert.deepEqual(walkList(flaky, BASE), {
    nodes: [BASE + 16n, BASE + 32n],
    complete: true,
  });
});
