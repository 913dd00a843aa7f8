import assert from "node:assert/strict";
import { KernelError } from "../base/errors.ts";
import { FixtureGuest, fixtureTypes } from "../kernel/core/kernel_fixture.ts";
import { FIXTURE_TEXT } from "../kernel/symbols/symbols_fixture.ts";
import { KernelNames } from "./guest_names.ts";
import type { ProcessTree } from "./processes.ts";

const TYPES = fixtureTypes({
  slots: { size: 4 * 33, members: {} },
  saved_cmdlines_buffer: {
    size: 160,
    members: {
      map_pid_to_cmdline: [0, "slots"],
      map_cmdline_to_pid: [136, "u64"],
      cmdline_num: [144, "u32"],
      saved_cmdlines: [152, "u64"],
    },
  },
});

const half = (gva: bigint): [lo: number, hi: number] => [
  Number(gva & 0xffffffffn),
  Number(gva >> 32n),
];

/** A guest whose saved_cmdlines and task list can be changed. */
function setting(symbols: Readonly<Record<string, bigint>> = {}) {
  const guest = new FixtureGuest(TYPES);
  for (const [name, gva] of Object.entries(symbols)) guest.symbol(name, gva);
  const saved = guest.create("saved_cmdlines_buffer");
  const pids = guest.allocate(4);
  const comms = guest.allocate(16);
  for (let slot = 0; slot < 33; slot++) {
    guest.setU32(saved + BigInt(4 * slot), 0xffffffff);
  }
  guest.setU64(saved + 136n, pids);
  guest.setU32(saved + 144n, 1);
  guest.setU64(saved + 152n, comms);
  const variable = guest.image();
  guest.symbol("savedcmd", variable);
  guest.setU64(variable, saved);
  /** The only thread that the kernel's table has. */
  const save = (pid: number, comm: string) => {
    guest.setU32(saved + BigInt(4 * (pid & 31)), 0);
    guest.setU32(pids, pid);
    guest.bytes.fill(0, guest.gpa(comms), guest.gpa(comms) + 16);
    guest.bytes.set(new TextEncoder().encode(comm), guest.gpa(comms));
  };
  const running = new Map<number, string>();
  let failing: Error | undefined;
  const processes = {
    comm(pid: number) {
      if (failing !== undefined) throw failing;
      return running.get(pid);
    },
  } as ProcessTree;
  return {
    names: new KernelNames(guest.kernel, processes),
    save,
    running,
    fail: (error: Error) => failing = error,
  };
}

Deno.test("functions by the names that scripts use", () => {
  const { names } = setting({
    __x64_sys_openat: FIXTURE_TEXT + 0x1000n,
    __do_sys_getpid: FIXTURE_TEXT + 0x2000n,
    __x64_sys_getpid: FIXTURE_TEXT + 0x2000n,
    __do_sys_alone: FIXTURE_TEXT + 0x3000n,
  });
  const name = (gva: bigint) => names.func(...half(gva));
  assert.equal(name(FIXTURE_TEXT + 0x100n), "schedule");
  assert.equal(name(FIXTURE_TEXT + 0x1000n), "sys_openat");
  // kallsyms reports the first of several names.
  assert.equal(name(FIXTURE_TEXT + 0x2000n), "sys_getpid");
  assert.equal(name(FIXTURE_TEXT + 0x3000n), "__do_sys_alone");
  assert.equal(name(0xffffffffc0001234n), "0xffffffffc0001234");
  assert.equal(names.short("__x64_sys_read"), "sys_read");
  assert.deepEqual(
    [FIXTURE_TEXT + 0x100n, 0xffffffffc0001234n].map((gva) =>
      names.foreign(...half(gva))
    ),
    [false, true],
  );
});

Deno.test("a thread's name comes from the module, the kernel's table, or the task list", () => {
  const { names, save, running } = setting();
  save(7, "saved");
  running.set(7, "running");
  running.set(8, "other");
  assert.deepEqual([7, 8, 9, 0].map((pid) => names.comm(pid)), [
    "saved",
    "other",
    "<...>",
    "<idle>",
  ]);
  names.told(7, "told");
  assert.equal(names.comm(7), "told");
  names.refresh();
  assert.equal(names.comm(7), "told");
});

Deno.test("names are kept for a batch, and a thread that has ended keeps its last one", () => {
  const { names, save, running } = setting();
  save(7, "sh");
  assert.equal(names.comm(7), "sh");
  save(7, "ls");
  assert.equal(names.comm(7), "sh");
  names.refresh();
  assert.equal(names.comm(7), "ls");
  running.set(8, "cat");
  assert.equal(names.comm(8), "cat");
  running.delete(8);
  names.refresh();
  assert.equal(names.comm(8), "cat");
});

Deno.test("a task list that cannot be read leaves a thread without a name", () => {
  const { names, fail } = setting();
  fail(new KernelError("the list is changing"));
  assert.equal(names.comm(9), "<...>");
  fail(new TypeError("a fault of ours"));
  assert.throws(() => names.comm(10), TypeError);
});
