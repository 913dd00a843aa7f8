import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../kernel/core/kernel_fixture.ts";
import { ProcessTree } from "./processes.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  comm: { size: 16, members: {} },
  signal_struct: { size: 32, members: { thread_head: [16, "list_head"] } },
  task_struct: {
    size: 128,
    members: {
      tasks: [0, "list_head"],
      thread_node: [16, "list_head"],
      pid: [32, "u32"],
      tgid: [36, "u32"],
      real_parent: [40, "u64"],
      signal: [48, "u64"],
      comm: [56, "comm"],
      mm: [72, "u64"],
    },
  },
});

/** A process, its parent by pid, and its other threads. */
interface Process {
  readonly pid: number;
  readonly comm: string;
  readonly parent?: number;
  readonly threads?: readonly number[];
}

/** A guest with a task list that can be replaced. */
class Setting {
  readonly guest = new FixtureGuest(TYPES);
  readonly init: bigint;
  readonly tree: ProcessTree;
  readonly comms = new Map<number, string>();

  constructor(...processes: readonly Process[]) {
    this.init = this.guest.image();
    this.guest.symbol("init_task", this.init);
    this.list(...processes);
    this.tree = new ProcessTree(this.guest.kernel);
  }

  list(...processes: readonly Process[]): void {
    const { guest, init } = this;
    const at = (task: bigint, path: string) =>
      guest.at("task_struct", task, path);
    const tasks = new Map<number, bigint>([[0, init]]);
    const task = (pid: number, tgid: number, comm: string) => {
      const gva = guest.create("task_struct");
      guest.setU32(at(gva, "pid"), pid);
      guest.setU32(at(gva, "tgid"), tgid);
      guest.bytes.set(
        new TextEncoder().encode(comm),
        guest.gpa(at(gva, "comm")),
      );
      this.comms.set(pid, comm);
      return gva;
    };
    for (const { pid, comm, parent = 0, threads = [] } of processes) {
      const leader = task(pid, pid, comm);
      tasks.set(pid, leader);
      const signal = guest.create("signal_struct");
      const others = threads.map((thread) => task(thread, pid, comm));
      for (const each of [leader, ...others]) {
        guest.setU64(at(each, "real_parent"), tasks.get(parent) ?? 0n);
        guest.setU64(at(each, "signal"), signal);
      }
      guest.link(
        guest.at("signal_struct", signal, "thread_head"),
        ...[leader, ...others].map((each) => at(each, "thread_node")),
      );
    }
    tasks.delete(0);
    guest.link(
      at(init, "tasks"),
      ...[...tasks.values()].map((each) => at(each, "tasks")),
    );
  }

  /** Which of these pids belong to the processes. */
  found(
    match: number | string,
    pids: readonly number[],
    children = true,
  ): number[] {
    const test = this.tree.test(
      { match, children },
      (pid) => this.comms.get(pid) ?? "<...>",
    );
    return pids.filter(test);
  }
}

const TREE: readonly Process[] = [
  { pid: 1, comm: "init" },
  { pid: 10, comm: "sshd", parent: 1, threads: [11, 12] },
  { pid: 20, comm: "bash", parent: 10 },
  { pid: 30, comm: "ls", parent: 20 },
  { pid: 40, comm: "cron", parent: 1 },
];
const ALL = [1, 10, 11, 12, 20, 30, 40, 99];

Deno.test("a process by its pid or its name, with its threads", () => {
  const setting = new Setting(...TREE);
  assert.deepEqual(setting.found(10, ALL, false), [10, 11, 12]);
  assert.deepEqual(setting.found("ss*", ALL, false), [10, 11, 12]);
  // A thread that is not the leader is itself.
  assert.deepEqual(setting.found(11, ALL, false), [11]);
  assert.deepEqual(setting.found("nonesuch", ALL), []);
});

Deno.test("a process with all its descendants", () => {
  const setting = new Setting(...TREE);
  assert.deepEqual(setting.found(10, ALL), [10, 11, 12, 20, 30]);
  assert.deepEqual(setting.found("init", ALL), [1, 10, 11, 12, 20, 30, 40]);
  assert.deepEqual(setting.found(0, ALL), []);
});

Deno.test("a process that was forked during the trace, and whose parent has ended", () => {
  const setting = new Setting(...TREE);
  setting.tree.forked(12, 50);
  setting.tree.forked(50, 60);
  setting.tree.forked(98, 99);
  assert.deepEqual(setting.found(10, [50, 60, 99]), [50, 60]);
  assert.deepEqual(setting.found(98, [99]), [99]);
});

Deno.test("forks that lead in a circle do not hold the host up", () => {
  const setting = new Setting(...TREE);
  setting.tree.forked(50, 51);
  setting.tree.forked(51, 50);
  setting.tree.forked(52, 52);
  assert.deepEqual(setting.found(10, [50, 51, 52]), []);
});

Deno.test("the process of a thread that the list does not show", () => {
  const setting = new Setting(...TREE);
  setting.tree.told(70, 10);
  assert.deepEqual(setting.found(10, [70], false), [70]);
});

Deno.test("the list is read again once for a pid that is not in it", () => {
  const setting = new Setting(...TREE);
  assert.deepEqual(
    [setting.tree.comm(30), setting.tree.comm(80)],
    ["ls", undefined],
  );
  setting.list(...TREE, { pid: 80, comm: "new", parent: 10 });
  assert.equal(setting.tree.comm(80), undefined);
  setting.tree.refresh();
  assert.equal(setting.tree.comm(80), "new");
  assert.deepEqual(setting.found(10, [80]), [80]);
});

Deno.test("a list that cannot be read is reported, and forks are still known", () => {
  const setting = new Setting(...TREE);
  const { guest, init } = setting;
  // It leads out of memory.
  guest.setU64(guest.at("task_struct", init, "tasks"), 0xffff000000000000n);
  setting.tree.forked(10, 50);
  assert.deepEqual(setting.found(10, [20, 50]), [50]);
  assert.ok(setting.tree.problem !== undefined);
  assert.equal(setting.tree.comm(10), undefined);
  setting.list(...TREE);
  setting.tree.refresh();
  assert.equal(setting.tree.comm(10), "sshd");
  assert.equal(setting.tree.problem, undefined);
});

Deno.test("strings of a thread without its own memory cannot be read", () => {
  const { tree } = new Setting(...TREE);
  assert.equal(tree.userString(10, 0x1000, 0), undefined);
  assert.equal(tree.userString(99, 0x1000, 0), undefined);
});
