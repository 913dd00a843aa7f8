/** What of a task's stack is in use: no single word of a book takes it away. */
import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { FIXTURE_TEXT } from "../symbols/symbols_fixture.ts";
import { stackAt, stacks } from "./stacks.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  xarray: { size: 16, members: { xa_head: [8, "u64"] } },
  xa_node: { size: 16, members: { shift: [0, "u8"], slots: [8, "u64"] } },
  idr: { size: 16, members: { idr_rt: [0, "xarray"] } },
  pid_namespace: { size: 16, members: { idr: [0, "idr"] } },
  pid: { size: 16, members: { tasks: [0, "u64"] } },
  thread_struct: { size: 8, members: { sp: [0, "u64"] } },
  task_struct: {
    size: 96,
    members: {
      tasks: [0, "list_head"],
      signal: [16, "u64"],
      pid: [24, "u32"],
      on_cpu: [28, "u32"],
      comm: [32, "u64"],
      stack: [40, "u64"],
      stack_vm_area: [48, "u64"],
      thread: [56, "thread_struct"],
    },
  },
  vm_struct: {
    size: 24,
    members: { addr: [0, "u64"], size: [8, "u64"], caller: [16, "u64"] },
  },
  rq: { size: 16, members: { curr: [0, "u64"], idle: [8, "u64"] } },
  inactive_task_frame: { size: 16, members: { ret_addr: [8, "u64"] } },
});
const SIZE = 0x5000n;
const CALLER = 0xffffffff81234567n;
/** Offset of the only CPU's variables. */
const CPU = 64n;
/** Where each task's last word in use is, from the start of its stack. */
const SAVED = 0x4000n;

/** A guest with three tasks that sleep, and a processor. */
function stackGuest() {
  const guest = new FixtureGuest(TYPES);
  const image = guest.image();
  const names = [
    "init_task",
    "init_pid_ns",
    "__per_cpu_offset",
    "runqueues",
    "cached_stacks",
  ];
  const at = new Map(
    names.map((name, i) => [name, image + BigInt(256 * i)]),
  );
  at.set("__schedule", FIXTURE_TEXT + 0x1000n);
  at.set("vfs_read", FIXTURE_TEXT + 0x2000n);
  for (const [name, gva] of at) guest.symbol(name, gva);
  const of = (name: string) => at.get(name) ?? 0n;
  guest.setU64(of("__per_cpu_offset"), CPU);
  const area = () => {
    const start = guest.allocate(0x5000, 4096);
    const vm = guest.create("vm_struct");
    guest.setU64(guest.at("vm_struct", vm, "addr"), start);
    guest.setU64(guest.at("vm_struct", vm, "size"), SIZE);
    guest.setU64(guest.at("vm_struct", vm, "caller"), CALLER);
    return { start, vm };
  };
  const tasks = [1, 2, 3].map((pid) => {
    const gva = guest.create("task_struct");
    const { start, vm } = area();
    const member = (path: string) => guest.at("task_struct", gva, path);
    guest.setU32(member("pid"), pid);
    guest.setU64(member("stack"), start);
    guest.setU64(member("stack_vm_area"), vm);
    guest.setU64(member("thread.sp"), start + SAVED);
    guest.setU64(start + SAVED + 8n, of("__schedule") + 16n);
    return { gva, start, vm, member };
  });
  guest.link(
    guest.at("task_struct", of("init_task"), "tasks"),
    ...tasks.map(({ member }) => member("tasks")),
  );
  const queue = of("runqueues") + CPU;
  guest.setU64(queue + 8n, of("init_task"));
  const cached = of("cached_stacks") + CPU;
  /** What is said of the word at a GVA: a task's, left behind, or nothing. */
  const said = (gva: bigint) => {
    const stack = stackAt(stacks(guest.kernel), gva);
    if (stack === undefined) return "no stack";
    const { task, pointer } = stack;
    if (task === undefined) return "no task";
    if (pointer === undefined) return "running";
    return gva < pointer ? "left behind" : task;
  };
  return { guest, tasks, area, queue, cached, said, of };
}

Deno.test("what a task that sleeps has on its stack is told from what it left there", () => {
  const { tasks: [{ start }], said } = stackGuest();
  assert.equal(said(start + SAVED + 16n), "process 1 ()");
  assert.equal(said(start + SAVED - 8n), "left behind");
  assert.equal(said(start - 8n), "no stack");
});

Deno.test("a stack pointer that leads to no saved frame leaves nothing behind", () => {
  const { guest, tasks: [{ start, member }], said, of } = stackGuest();
  const word = start + SAVED + 0x100n;
  for (
    const pointer of [word + 8n, start + SIZE, 0n, start + SAVED + 1n]
  ) {
    guest.setU64(member("thread.sp"), pointer);
    assert.equal(said(word), "process 1 ()");
  }
  // A frame that goes on elsewhere is not one either.
  guest.setU64(member("thread.sp"), word + 8n);
  guest.setU64(word + 16n, of("vfs_read") + 4n);
  assert.equal(said(word), "process 1 ()");
});

Deno.test("a task runs only if a run queue and the task say so", () => {
  const { guest, tasks: [{ gva, start, member }], queue, said } = stackGuest();
  const word = start + SAVED + 16n;
  guest.setU64(queue, gva);
  assert.equal(said(word), "process 1 ()");
  guest.setU32(member("on_cpu"), 1);
  assert.equal(said(word), "running");
  guest.setU64(queue, 0n);
  assert.equal(said(word), "process 1 ()");
});

Deno.test("a stack is kept for the next task if it is a stack, and no task's", () => {
  const { guest, tasks: [{ start, vm }], area, cached, said } = stackGuest();
  const kept = area();
  guest.setU64(cached, kept.vm);
  assert.equal(said(kept.start), "no task");
  // One that a task has.
  guest.setU64(cached + 8n, vm);
  assert.equal(said(start + SAVED + 16n), "process 1 ()");
  // Memory that somebody else asked for, or of another size.
  guest.setU64(guest.at("vm_struct", kept.vm, "caller"), CALLER + 1n);
  assert.equal(said(kept.start), "no stack");
  guest.setU64(guest.at("vm_struct", kept.vm, "caller"), CALLER);
  guest.setU64(guest.at("vm_struct", kept.vm, "size"), SIZE * 2n);
  assert.equal(said(kept.start), "no stack");
});

Deno.test("no size of a stack reaches into the memory beside it", () => {
  const { guest, tasks, queue, area, said } = stackGuest();
  const beside = area();
  const { gva, start, vm, member } = tasks[2];
  guest.setU64(queue, gva);
  guest.setU32(member("on_cpu"), 1);
  guest.setU64(guest.at("vm_struct", vm, "size"), SIZE * 4n);
  assert.equal(said(start), "running");
  assert.equal(said(beside.start), "no stack");
  // Nor does a task have an area that does not say that it begins there.
  guest.setU64(member("stack"), beside.start);
  assert.equal(said(beside.start), "no stack");
});
