import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { kprobes } from "./kprobes.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  kprobe: {
    size: 80,
    members: {
      hlist: [0, "list_head"],
      list: [16, "list_head"],
      addr: [32, "u64"],
      symbol_name: [40, "u64"],
      pre_handler: [48, "u64"],
      post_handler: [56, "u64"],
      flags: [64, "u32"],
    },
  },
});

Deno.test("the probes that another one stands for are read, whatever its handler is", () => {
  for (const handler of [0x1000n, 0n]) {
    const guest = new FixtureGuest(TYPES);
    const table = guest.image();
    guest.symbol("kprobe_table", table);
    guest.symbol("aggr_pre_handler", table + 0x800n);
    const [first, one] = [0, 1].map(() => guest.create("kprobe"));
    const list = (probe: bigint) => guest.at("kprobe", probe, "list");
    guest.setU64(table, first);
    guest.setU64(guest.at("kprobe", first, "pre_handler"), handler);
    guest.link(list(first), list(one));
    assert.deepEqual(kprobes(guest.kernel).map(({ gva }) => gva), [first, one]);
  }
});

Deno.test("a table of kprobes without a symbol is not empty", () => {
  const guest = new FixtureGuest(TYPES);
  guest.symbol("get_kprobe", guest.image());
  assert.throws(() => kprobes(guest.kernel), /no kprobe_table/);
  assert.deepEqual(kprobes(new FixtureGuest(TYPES).kernel), []);
});
