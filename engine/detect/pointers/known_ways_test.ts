/**
 * Words of books that hold addresses and lead nowhere: no single word of a book
 * makes anything else one of them.
 */
import assert from "node:assert/strict";
import {
  DIRECT_MAP,
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { FIXTURE_TEXT } from "../../kernel/symbols/symbols_fixture.ts";
import { HELPER } from "../core/check_fixture.ts";
import { KnownWays } from "./known_ways.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  attribute: { size: 16, members: { name: [0, "u64"] } },
  bin_attribute: {
    size: 32,
    members: {
      attr: [0, "attribute"],
      read: [16, "u64"],
      private: [24, "u64"],
    },
  },
  module_sect_attr: {
    size: 40,
    members: { battr: [0, "bin_attribute"], address: [32, "u64"] },
  },
  module_sect_attrs: {
    size: 16,
    members: { nsections: [8, "u32"], attrs: [16, "u8"] },
  },
  module: {
    size: 64,
    members: { sect_attrs: [0, "u64"], init: [8, "u64"] },
  },
  vm_struct: {
    size: 32,
    members: { addr: [0, "u64"], size: [8, "u64"], caller: [16, "u64"] },
  },
  vmap_area: {
    size: 48,
    members: {
      va_start: [0, "u64"],
      va_end: [8, "u64"],
      list: [16, "list_head"],
      vm: [32, "u64"],
    },
  },
  ftrace_ret_stack: {
    size: 24,
    members: { ret: [0, "u64"], func: [8, "u64"], retp: [16, "u64"] },
  },
  task_struct: {
    size: 64,
    members: {
      tasks: [0, "list_head"],
      signal: [16, "u64"],
      ret_stack: [24, "u64"],
      stack: [32, "u64"],
    },
  },
});
const CODE = 0xffffffffc0200000n;
const READ = FIXTURE_TEXT + 0x1000n;

/** A guest with a module, its sections, an area, and a task. */
function bookGuest() {
  const guest = new FixtureGuest(TYPES);
  const image = guest.image();
  const [areas, tasks] = [image, image + 256n];
  guest.symbol("vmap_area_list", areas);
  guest.symbol("init_task", tasks);
  guest.symbol("module_sect_read", READ);
  const area = guest.create("vmap_area");
  const vm = guest.create("vm_struct");
  const areaAt = (member: string) => guest.at("vmap_area", area, member);
  const vmAt = (member: string) => guest.at("vm_struct", vm, member);
  guest.link(areas, areaAt("list"));
  guest.setU64(areaAt("va_start"), CODE);
  guest.setU64(areaAt("va_end"), CODE + 0x5000n);
  guest.setU64(areaAt("vm"), vm);
  guest.setU64(vmAt("addr"), CODE);
  guest.setU64(vmAt("size"), 0x5000n);
  guest.setU64(vmAt("caller"), CODE + 0x123n);
  const module = guest.create("module");
  const book = guest.allocate(16 + 2 * 40);
  const bookAt = guest.at("module", module, "sect_attrs");
  guest.setU64(bookAt, book);
  for (const i of [0n, 1n]) {
    guest.setU64(book + 16n + 40n * i + 16n, READ);
    guest.setU64(book + 16n + 40n * i + 32n, CODE + i);
  }
  const task = guest.create("task_struct");
  const stack = guest.allocate(4096, 4096);
  const returns = guest.allocate(4096, 4096);
  const taskAt = (member: string) => guest.at("task_struct", task, member);
  guest.link(tasks, taskAt("tasks"));
  guest.setU64(taskAt("stack"), stack);
  guest.setU64(taskAt("ret_stack"), returns);
  guest.setU64(returns + 24n, CODE + 0x40n);
  guest.setU64(returns + 32n, CODE);
  guest.setU64(returns + 40n, stack + 0x800n);
  const view: ModuleView = { ...HELPER, gva: module };
  /** Whether a word of an object is one of these. */
  const has = (gva: bigint, offset: number, cache = "kmalloc-4k") =>
    new KnownWays(guest.kernel, [view]).has({
      use: "slab",
      where: "",
      address: gva + BigInt(offset),
      object: { cache, gva, offset, size: 4096, merged: false, free: false },
    });
  /** An object of the intruder's, with an address in each of its words. */
  const hook = guest.allocate(4096, 4096);
  for (let at = 0n; at < 256n; at += 8n) guest.setU64(hook + at, CODE);
  const hooked = () =>
    Array.from({ length: 32 }, (_, i) => 8 * i).filter((at) => has(hook, at));
  return {
    guest,
    area,
    areaAt,
    vm,
    book,
    bookAt,
    returns,
    taskAt,
    has,
    hook,
    hooked,
  };
}

Deno.test("the books of areas, of modules and of returns hold addresses", () => {
  const { area, vm, book, returns, has } = bookGuest();
  const words = (gva: bigint, bytes: number, cache?: string) =>
    Array.from({ length: bytes / 8 }, (_, i) => 8 * i)
      .filter((at) => has(gva, at, cache));
  assert.deepEqual(words(area, 48, "vmap_area"), [0, 8]);
  assert.deepEqual(words(vm, 32), [0, 16]);
  assert.deepEqual(words(book, 96), [48, 88]);
  assert.deepEqual(words(returns, 96), [24, 32]);
});

Deno.test("an object that one of these is said to be is none of them", () => {
  const places = ["area's vm", "book of sections", "task's ret_stack"] as const;
  for (const place of places) {
    const { guest, areaAt, bookAt, taskAt, hook, hooked } = bookGuest();
    const at = {
      "area's vm": areaAt("vm"),
      "book of sections": bookAt,
      "task's ret_stack": taskAt("ret_stack"),
    }[place];
    for (let past = 0n; past < 128n; past += 8n) {
      guest.setU64(at, hook - past);
      assert.deepEqual(hooked(), [], `${place}, ${past} bytes before`);
    }
    guest.setU64(at, hook);
    assert.deepEqual(hooked(), [], place);
  }
});

Deno.test("an area is one that the allocator has on a list", () => {
  const { guest, hook, has } = bookGuest();
  assert.equal(has(hook, 0, "vmap_area"), false);
  assert.equal(has(hook, 0, "maple_node"), false);
  // An area on a list that names other bounds than what it leads to.
  const { areaAt, vm, has: again, guest: other } = bookGuest();
  other.setU64(areaAt("va_end"), CODE + 0x4000n);
  assert.equal(again(vm, 16), false);
  assert.ok(guest.u64(hook) === CODE);
});

Deno.test("an entry of a book is called by what sysfs calls", () => {
  const { guest, book, has } = bookGuest();
  guest.setU64(book + 32n, READ + 16n);
  assert.equal(has(book, 48), false);
  assert.equal(has(book, 88), true);
});

Deno.test("an entry of returns is one of the task's own stack", () => {
  const { guest, returns, has } = bookGuest();
  for (const retp of [0n, CODE, DIRECT_MAP + 8n]) {
    guest.setU64(returns + 40n, retp);
    assert.deepEqual([has(returns, 24), has(returns, 32)], [false, false]);
  }
});
