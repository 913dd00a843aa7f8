/** Stacks that no task owns, by the allocator's books. */
import assert from "node:assert/strict";
import {
  FixtureGuest,
  type FixtureStruct,
  fixtureTypes,
} from "../core/kernel_fixture.ts";
import { StackAreas, vmapAreas } from "./stack_areas.ts";

const LISTS: Record<string, FixtureStruct> = {
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  callback_head: { size: 16, members: { next: [0, "u64"], func: [8, "u64"] } },
  vm_struct: {
    size: 24,
    members: { addr: [0, "u64"], size: [8, "u64"], caller: [16, "u64"] },
  },
  vmap_area: {
    size: 32,
    members: { va_start: [0, "u64"], list: [8, "list_head"], vm: [24, "u64"] },
  },
  vm_stack: {
    size: 24,
    members: { rcu: [0, "callback_head"], stack_vm_area: [16, "u64"] },
  },
};
const NODES: Record<string, FixtureStruct> = {
  rb_list: { size: 24, members: { head: [8, "list_head"] } },
  vmap_node: { size: 64, members: { busy: [32, "rb_list"] } },
};
const SIZE = 0x5000n;
const CALLER = 0xffffffff81001000n;
const MAGIC = 0x57ac_6e9dn;

/** A guest with some areas: the first two are stacks, the third is not. */
function guestOf(perCpu: boolean) {
  const guest = new FixtureGuest(
    fixtureTypes(perCpu ? { ...LISTS, ...NODES } : LISTS),
  );
  const image = guest.image();
  const areas = [0, 1, 2].map((i) => {
    const start = guest.allocate(0x5000, 4096);
    const area = guest.create("vmap_area");
    const vm = guest.create("vm_struct");
    guest.setU64(guest.at("vmap_area", area, "va_start"), start);
    guest.setU64(guest.at("vmap_area", area, "vm"), vm);
    guest.setU64(guest.at("vm_struct", vm, "addr"), start);
    guest.setU64(guest.at("vm_struct", vm, "size"), SIZE);
    guest.setU64(guest.at("vm_struct", vm, "caller"), i < 2 ? CALLER : 1n);
    if (i < 2) guest.setU64(start, MAGIC);
    return { start, vm, node: guest.at("vmap_area", area, "list") };
  });
  if (perCpu) {
    const nodes = guest.allocate(2 * 64);
    guest.setU64(image, nodes);
    guest.setU32(image + 8n, 2);
    guest.symbol("vmap_nodes", image);
    guest.symbol("nr_vmap_nodes", image + 8n);
    const head = (i: bigint) =>
      guest.at("vmap_node", nodes + i * 64n, "busy.head");
    guest.link(head(0n), areas[0].node);
    guest.link(head(1n), areas[1].node, areas[2].node);
  } else {
    guest.symbol("vmap_area_list", image);
    guest.link(image, ...areas.map(({ node }) => node));
  }
  guest.symbol("thread_stack_free_rcu", image + 64n);
  return { guest, areas, free: image + 64n };
}

for (const perCpu of [false, true]) {
  const lists = perCpu ? "of each CPU" : "of all";
  Deno.test(`a stack that no task owns is told, by the list ${lists}`, () => {
    const { guest, areas: [first, second] } = guestOf(perCpu);
    const stacks = new StackAreas(guest.kernel);
    const owner = { stack: first.start, vm: first.vm };
    const left = stacks.ownerless([owner]).map(({ start }) => start);
    assert.deepEqual(left, [second.start]);
    for (
      const half of [
        { stack: second.start, vm: 0n },
        { stack: 0n, vm: second.vm },
      ]
    ) {
      assert.deepEqual(stacks.ownerless([owner, half]), []);
      assert.equal(stacks.owned(half), true);
    }
    assert.equal(stacks.owned({ stack: 0n, vm: 0n }), false);
    assert.equal(stacks.owned({ stack: 8n, vm: 16n }), false);
  });
}

Deno.test("areas of memory that is in use, free and about to be freed", () => {
  for (const perCpu of [false, true]) {
    const { guest, areas } = guestOf(perCpu);
    const [free, lazy] = [guest.create("vmap_area"), guest.create("vmap_area")];
    const node = (area: bigint) => guest.at("vmap_area", area, "list");
    const list = guest.image(2);
    guest.symbol("free_vmap_area_list", list);
    guest.link(list, node(free));
    if (!perCpu) {
      guest.symbol("purge_vmap_area_list", list + 64n);
      guest.link(list + 64n, node(lazy));
    }
    const found = vmapAreas(guest.kernel);
    const own = areas.map((one) => one.node - 8n);
    const expected = [...own, free, ...(perCpu ? [] : [lazy])];
    assert.deepEqual([...found].sort(), expected.sort());
  }
});

Deno.test("neither who asked for a stack nor its end alone hides it", () => {
  for (const hide of ["caller", "end", "size"]) {
    const { guest, areas: [first, second] } = guestOf(false);
    if (hide === "caller") {
      guest.setU64(guest.at("vm_struct", second.vm, "caller"), 0n);
    } else if (hide === "end") guest.setU64(second.start, 0n);
    else guest.setU64(guest.at("vm_struct", second.vm, "size"), 0n);
    const stacks = new StackAreas(guest.kernel);
    const left = stacks.ownerless([{ stack: first.start, vm: first.vm }]);
    assert.deepEqual(left.map(({ vm }) => vm), [second.vm], hide);
  }
});

Deno.test("a stack that waits to be freed belongs to nobody", () => {
  const { guest, areas: [first, second], free } = guestOf(false);
  guest.setU64(second.start + 8n, free);
  const left = () =>
    new StackAreas(guest.kernel).ownerless([
      { stack: first.start, vm: first.vm },
    ]).length;
  assert.equal(left(), 1);
  guest.setU64(second.start + 16n, second.vm);
  assert.equal(left(), 0);
});

Deno.test("an area that is not on its list is known by the task's two words", () => {
  const { guest, areas: [first, second, third] } = guestOf(false);
  guest.link(guest.kernel.symbols.address("vmap_area_list"), third.node);
  const stacks = new StackAreas(guest.kernel);
  assert.equal(stacks.owned({ stack: first.start, vm: first.vm }), true);
  assert.equal(stacks.owned({ stack: second.start, vm: first.vm }), false);
});
