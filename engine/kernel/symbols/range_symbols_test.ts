import assert from "node:assert/strict";
import type { ReadGva } from "../../memory/guest_reader.ts";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import {
  RangeSymbols,
  readBpfSymbols,
  readFreedInitSymbols,
} from "./range_symbols.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  bpf_ksym: {
    size: 64,
    members: {
      start: [0, "u64"],
      end: [8, "u64"],
      name: [16, "u64"],
      lnode: [40, "list_head"],
    },
  },
});

/**
 * A guest with BPF programs at these ranges; returns the list's head and nodes
 * too.
 */
function programs(ranges: readonly (readonly [bigint, bigint])[]) {
  const guest = new FixtureGuest(TYPES);
  const head = guest.allocate(16);
  const nodes = ranges.map(([start, end], i) => {
    const gva = guest.create("bpf_ksym");
    guest.setU64(gva, start);
    guest.setU64(gva + 8n, end);
    // The name is stored in a u64, so it is short.
    guest.setU64(gva + 16n, BigInt(`0x${"7a".repeat(i + 1)}`));
    return gva + 40n;
  });
  guest.link(head, ...nodes);
  const read: ReadGva = (gva, into) => guest.space.read(gva, into);
  return { guest, head, nodes, read };
}

Deno.test("programs are listed in the kernel's order", () => {
  const { head, read } = programs([[0x100n, 0x180n], [0x40n, 0x50n]]);
  const addressOf = (name: string) =>
    name === "bpf_kallsyms" ? head : undefined;
  assert.deepEqual(readBpfSymbols(read, addressOf, TYPES), [
    { name: "z", start: 0x100n, end: 0x180n },
    { name: "zz", start: 0x40n, end: 0x50n },
  ]);
  assert.deepEqual(readBpfSymbols(read, () => undefined, TYPES), []);
  assert.deepEqual(readBpfSymbols(read, addressOf, fixtureTypes({})), []);
  assert.deepEqual(readFreedInitSymbols(read, addressOf, TYPES), []);
});

Deno.test("a program that disappears while it is read is skipped, the others are not", () => {
  const { guest, head, nodes, read } = programs([[1n, 2n], [3n, 4n]]);
  // The second node points to unmapped memory.
  guest.setU64(nodes[0], 0x5000n);
  assert.deepEqual(
    readBpfSymbols(read, () => head, TYPES).map(({ start }) => start),
    [1n],
  );
});

Deno.test("an address in a range has its name, other addresses have none", () => {
  const ranges = new RangeSymbols([
    { name: "outer", start: 0x1000n, end: 0x2000n },
    { name: "inner", start: 0x1100n, end: 0x1200n },
  ], "loop");
  assert.deepEqual(ranges.lookup(0x1180n), {
    name: "outer",
    address: 0x1000n,
    offset: 0x180,
    size: 0x1000,
    module: "loop",
  });
  assert.equal(ranges.lookup(0x2000n), undefined);
  assert.equal(ranges.lookup(0xfffn), undefined);
  assert.deepEqual([ranges.table.count, ...ranges.addresses], [
    2,
    0x1000n,
    0x1100n,
  ]);
});
