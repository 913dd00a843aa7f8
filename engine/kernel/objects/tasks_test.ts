import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import {
  cgroupTasks,
  familyTasks,
  listedLeaders,
  readTask,
  threadsOf,
} from "./tasks.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  signal_struct: { size: 16, members: { thread_head: [0, "list_head"] } },
  task_struct: {
    size: 136,
    members: {
      mm: [128, "u64"],
      flags: [0, "u32"],
      exit_state: [4, "u32"],
      pid: [8, "u32"],
      tgid: [12, "u32"],
      tasks: [16, "list_head"],
      children: [32, "list_head"],
      sibling: [48, "list_head"],
      thread_node: [64, "list_head"],
      signal: [80, "u64"],
      comm: [88, "u64"],
    },
  },
});

/** A guest with `init_task` and processes of one thread each. */
class TaskGuest extends FixtureGuest {
  readonly init: bigint;

  constructor() {
    super(TYPES);
    this.init = this.image();
    this.symbol("init_task", this.init);
    this.#fill(this.init);
    this.link(this.at("task_struct", this.init, "tasks"));
  }

  #fill(task: bigint): void {
    const signal = this.create("signal_struct");
    this.setU64(this.at("task_struct", task, "signal"), signal);
    this.link(signal, this.at("task_struct", task, "thread_node"));
    this.link(this.at("task_struct", task, "children"));
  }

  process(pid: number): bigint {
    const task = this.create("task_struct");
    this.setU32(this.at("task_struct", task, "pid"), pid);
    this.#fill(task);
    return task;
  }

  /** Makes these the children of a task. */
  children(parent: bigint, ...tasks: readonly bigint[]): void {
    this.link(
      this.at("task_struct", parent, "children"),
      ...tasks.map((task) => this.at("task_struct", task, "sibling")),
    );
  }
}

Deno.test("a process off the task list is still of its family", () => {
  const guest = new TaskGuest();
  const [shell, hidden, child] = [1, 2, 3].map((pid) => guest.process(pid));
  guest.link(
    guest.at("task_struct", guest.init, "tasks"),
    guest.at("task_struct", shell, "tasks"),
  );
  guest.children(guest.init, shell);
  guest.children(shell, hidden);
  guest.children(hidden, child);
  assert.deepEqual(listedLeaders(guest.kernel), [shell]);
  assert.deepEqual(familyTasks(guest.kernel), [shell, hidden, child]);
  assert.equal(readTask(guest.kernel, child).pid, 3);
});

Deno.test("the children of every thread belong to a family", () => {
  const guest = new TaskGuest();
  const [leader, thread, child] = [1, 2, 3].map((pid) => guest.process(pid));
  const signal = guest.u64(guest.at("task_struct", leader, "signal"));
  guest.link(
    signal,
    guest.at("task_struct", leader, "thread_node"),
    guest.at("task_struct", thread, "thread_node"),
  );
  guest.children(guest.init, leader);
  guest.children(thread, child);
  assert.deepEqual(threadsOf(guest.kernel, leader), [leader, thread]);
  assert.deepEqual(familyTasks(guest.kernel), [leader, child]);
});

Deno.test("a family whose child is its own ancestor ends", () => {
  const guest = new TaskGuest();
  const [one, two] = [1, 2].map((pid) => guest.process(pid));
  guest.children(guest.init, one);
  guest.children(one, two);
  // The list of the second one's children leads into the first one's.
  guest.setU64(
    guest.at("task_struct", two, "children"),
    guest.at("task_struct", one, "sibling"),
  );
  guest.setU64(
    guest.at("task_struct", one, "sibling"),
    guest.at("task_struct", two, "children"),
  );
  assert.throws(() => familyTasks(guest.kernel), /runs in circles/);
});

Deno.test("a task that has lost its signal struct counts as its own thread", () => {
  const guest = new TaskGuest();
  const task = guest.process(1);
  guest.setU64(guest.at("task_struct", task, "signal"), 0);
  assert.deepEqual(threadsOf(guest.kernel, task), [task]);
});

Deno.test("kernel threads and what has ended are told by their flags", () => {
  const guest = new TaskGuest();
  const task = guest.process(7);
  guest.setU32(guest.at("task_struct", task, "flags"), 0x0020_0000);
  const read = () => readTask(guest.kernel, task);
  assert.deepEqual([read().kernelThread, read().dead], [true, false]);
  assert.equal(read().hasMemory, false);
  guest.setU64(guest.at("task_struct", task, "mm"), 0x1000n);
  assert.equal(read().hasMemory, true);
  // The word alone does not say that a task has ended.
  guest.setU32(guest.at("task_struct", task, "exit_state"), 0x20);
  assert.equal(read().dead, false);
  guest.setU64(guest.at("task_struct", task, "mm"), 0n);
  for (const state of [0x10, 0x20]) {
    guest.setU32(guest.at("task_struct", task, "exit_state"), state);
    assert.equal(read().dead, true);
  }
});

Deno.test("a kernel without control groups has no such view", () => {
  assert.equal(cgroupTasks(new TaskGuest().kernel), undefined);
});
