import assert from "node:assert/strict";
import { MemoryError, XftraceError } from "../engine/base/errors.ts";
import { ResourceGuest } from "../engine/kernel/objects/resources_fixture.ts";
import { BufferMemory } from "../engine/memory/buffer_memory_fixture.ts";
import { PluggableMemory, type RamPart } from "./pluggable_memory.ts";
import { type PlugSource, PlugWatch } from "./plug_watch.ts";

const RAM = [0, 0xffff, "System RAM"] as const;
const PLUGGED = [0x100000, 0x10ffff, "System RAM"] as const;

/** Memory at a GPA, filled with one byte. */
function partAt(start: number, fill: number, backing: string) {
  const bytes = new Uint8Array(0x10000).fill(fill);
  const memory = new BufferMemory([{ gpa: start, bytes }]);
  const parts = [{ start, end: start + 0x10000, memory, backing }];
  return { memory, parts };
}

/** A guest of 64 KiB, in which a module of 64 KiB may be plugged. */
class Plugging implements PlugSource {
  readonly fixture = new ResourceGuest([RAM]);
  readonly memory: PluggableMemory;
  readonly watch: PlugWatch;
  readonly mapped = new Set(["boot"]);
  /** How often it was asked where RAM lies. */
  plans = 0;
  now = 0;

  constructor() {
    const { memory, parts } = partAt(0, 1, "boot");
    this.memory = new PluggableMemory(memory, parts);
    const { kernel } = this.fixture.guest;
    this.watch = new PlugWatch(this.memory, kernel, this, () => this.now);
  }

  plan() {
    this.plans++;
    if (!this.mapped.has("module")) throw new XftraceError("nothing fits");
    const region = (start: number, backing: number) => ({
      ...{ start, end: start + 0x10000, backing, offset: 0 },
    });
    const regions = [region(0, 0), region(0x100000, 1)];
    return { source: "a test", regions };
  }

  open(regions: readonly { readonly start: number }[]) {
    assert.deepEqual(regions.map(({ start }) => start), [0x100000]);
    return partAt(0x100000, 2, "module");
  }

  isMapped({ backing }: RamPart): boolean {
    return this.mapped.has(backing);
  }

  byte(gpa: number): number {
    const byte = new Uint8Array(1);
    this.memory.read(gpa, byte);
    return byte[0];
  }
}

Deno.test("memory that is plugged in is read when it is missed", () => {
  const one = new Plugging();
  assert.throws(() => one.byte(0x100000), /1 bytes there are not guest RAM/);
  assert.equal(one.plans, 0);
  one.fixture.set([RAM, PLUGGED]);
  one.mapped.add("module");
  assert.equal(one.byte(0x100000), 2);
  assert.equal(one.byte(0), 1);
  assert.equal(one.plans, 1);
  assert.equal(one.watch.lookNow(), undefined);
  assert.deepEqual(one.memory.ranges.map(({ start }) => start), [0, 0x100000]);
  assert.equal(one.plans, 1);
});

Deno.test("memory that is plugged in is found within a second", () => {
  const one = new Plugging();
  one.fixture.set([RAM, PLUGGED]);
  one.mapped.add("module");
  one.now = 999;
  one.watch.look();
  assert.equal(one.memory.ranges.length, 1);
  one.now = 1000;
  one.watch.look();
  assert.equal(one.memory.ranges.length, 2);
});

Deno.test("RAM that the host does not have is named, and seldom looked for", () => {
  const one = new Plugging();
  one.fixture.set([RAM, PLUGGED]);
  for (let i = 0; i < 3; i++) {
    assert.match(
      one.watch.lookNow() ?? "",
      /plugged in or unplugged since it was opened: nothing fits/,
    );
    assert.throws(() => one.byte(0x100000), MemoryError);
  }
  assert.equal(one.plans, 1);
  // Its monitor may have been busy.
  one.mapped.add("module");
  one.now = 1000;
  assert.equal(one.watch.lookNow(), undefined);
  assert.equal(one.byte(0x100000), 2);
  assert.equal(one.plans, 2);
});

Deno.test("addresses that are not RAM cost a bounded number of looks", () => {
  const one = new Plugging();
  one.fixture.set([RAM, PLUGGED]);
  const misses = (times: number) => {
    for (let i = 0; i < times; i++) {
      // Each look finds another tree, and so makes a plan.
      one.fixture.set([RAM, [0x100000, 0x100fff + 0x1000 * i, "System RAM"]]);
      assert.throws(() => one.byte(0x900000), MemoryError);
    }
  };
  misses(100);
  assert.equal(one.plans, 20);
  one.now += 1000;
  misses(100);
  assert.equal(one.plans, 30);
});

Deno.test("what neither the guest nor its process has is RAM no more", () => {
  const one = new Plugging();
  one.fixture.set([RAM, PLUGGED]);
  one.mapped.add("module");
  one.watch.lookNow();
  // The guest's word is not enough: the process has it still.
  one.fixture.set([RAM]);
  one.watch.lookNow();
  assert.equal(one.byte(0x100000), 2);
  one.mapped.delete("module");
  one.watch.lookNow();
  assert.throws(() => one.byte(0x100000), /the memory there was unplugged/);
  assert.equal(one.memory.view(0x100000, 1), undefined);
  assert.deepEqual(one.memory.search(new Uint8Array([2])), []);
  assert.deepEqual(one.memory.dataRanges(), [{ start: 0, end: 0x10000 }]);
  // Another one comes to the same place.
  one.fixture.set([RAM, PLUGGED]);
  one.mapped.add("module");
  assert.equal(one.byte(0x100000), 2);
});

Deno.test("memory that is made of parts is read, searched and written as one", () => {
  const first = partAt(0, 1, "a");
  const second = partAt(0x10000, 2, "b");
  const memory = new PluggableMemory(first.memory, first.parts);
  memory.add(second.memory, second.parts);
  const both = new Uint8Array(4);
  memory.read(0xfffe, both);
  assert.deepEqual([...both], [1, 1, 2, 2]);
  assert.equal(memory.view(0xfffe, 4), undefined);
  assert.equal(memory.view(0x10000, 4)?.[0], 2);
  memory.makeWritable();
  memory.write(0xfffe, new Uint8Array([7, 7, 7, 7]));
  assert.deepEqual(memory.search(new Uint8Array([7])), [
    ...[0xfffe, 0xffff, 0x10000, 0x10001],
  ]);
  assert.deepEqual(memory.search(new Uint8Array([7]), 3).length, 3);
  assert.equal(
    memory.compareExchange(0x10008, 4, 0x02020202n, 5n),
    0x02020202n,
  );
  assert.equal(memory.view(0x10008, 1)?.[0], 5);
  assert.equal(memory.intact, undefined);
  memory[Symbol.dispose]();
  assert.throws(() => memory.read(0, both), /it has been closed/);
});
