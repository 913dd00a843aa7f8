import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import type { StackAreas } from "./stack_areas.ts";
import { livesUnlisted } from "./task_memory.ts";

const TYPES = fixtureTypes({
  vm_struct: { size: 16, members: { addr: [8, "u64"] } },
  atomic_t: { size: 4, members: { counter: [0, "u32"] } },
  refcount_t: { size: 4, members: { refs: [0, "atomic_t"] } },
  sched_entity: { size: 8, members: { sum_exec_runtime: [0, "u64"] } },
  task_struct: {
    size: 88,
    members: {
      __state: [0, "u32"],
      exit_state: [4, "u32"],
      usage: [8, "refcount_t"],
      stack: [16, "u64"],
      signal: [24, "u64"],
      se: [32, "sched_entity"],
      stack_vm_area: [40, "u64"],
      mm: [48, "u64"],
      files: [56, "u64"],
      fs: [64, "u64"],
    },
  },
});
const STACK = 0xffff_c900_0000_4000n;

/**
 * Whether a sleeping kernel thread lives, after these words were changed.
 *
 * @param mapped whether this kernel maps stacks page by page
 */
function lives(
  words: Record<string, number | bigint>,
  double = false,
  mapped = true,
) {
  const guest = new FixtureGuest(TYPES);
  const task = guest.create("task_struct");
  const area = guest.create("vm_struct");
  guest.setU64(guest.at("vm_struct", area, "addr"), STACK);
  const set = (member: string, value: number | bigint) => {
    const at = guest.at("task_struct", task, member);
    if (typeof value === "bigint") guest.setU64(at, value);
    else guest.setU32(at, value);
  };
  set("__state", 1);
  set("usage", 1);
  set("stack", STACK);
  set("stack_vm_area", area);
  set("signal", 1n);
  set("se", 1000n);
  for (const [member, value] of Object.entries(words)) set(member, value);
  const owned: StackAreas["owned"] = ({ stack, vm }) =>
    stack === STACK || vm === area;
  return livesUnlisted(
    guest.kernel.object("task_struct", task),
    double,
    mapped ? { owned } : undefined,
  );
}

Deno.test("what is no task, or none any more, does not live", () => {
  assert.equal(lives({}), true);
  const ended = { stack: 0n, stack_vm_area: 0n };
  assert.equal(lives(ended), false);
  assert.equal(lives({ ...ended, exit_state: 0x20, __state: 0x80 }), false);
  // Memory that was something else before.
  assert.equal(lives({ stack: 1n, stack_vm_area: 2n }), false);
});

Deno.test("a hidden task lives, whatever single words of it say", () => {
  for (const word of ["usage", "stack", "stack_vm_area", "signal"]) {
    const zero = word === "usage" ? 0 : 0n;
    assert.equal(lives({ [word]: zero }), true, word);
    assert.equal(lives({ [word]: zero, usage: 0 }), true, word);
  }
  // It has the marks of one that ended, and a stack to run on.
  assert.equal(lives({ exit_state: 0x20, __state: 0x81 }), true);
  assert.equal(lives({ exit_state: 0x10, __state: 0x80 }), true);
  assert.equal(lives({ exit_state: 0x10, __state: 0x80, stack: 0n }), true);
});

Deno.test("without mapped stacks, a task lives by its stack and references", () => {
  assert.equal(lives({}, false, false), true);
  assert.equal(lives({ signal: 0n }, false, false), true);
  assert.equal(lives({ stack: 0n }, false, false), false);
  assert.equal(lives({ usage: 0 }, false, false), false);
});

Deno.test("a task is new in one state only", () => {
  assert.equal(lives({ __state: 0x800, se: 0n }), false);
  assert.equal(lives({ __state: 0x801, se: 0n }), true);
  assert.equal(lives({ __state: 0x802, se: 0n }), true);
  assert.equal(lives({ __state: 0x800, se: 5n }), true);
});

Deno.test("only a task that runs is a copy that is being made", () => {
  assert.equal(lives({ __state: 0 }, true), false);
  assert.equal(lives({ __state: 0 }), true);
  for (const state of [1, 2, 0x402]) {
    assert.equal(lives({ __state: state }, true), true);
  }
});
