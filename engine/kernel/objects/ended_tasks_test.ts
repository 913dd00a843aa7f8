import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { readTask } from "./tasks.ts";

const TYPES = fixtureTypes({
  task_struct: {
    size: 64,
    members: {
      __state: [0, "u32"],
      exit_state: [4, "u32"],
      pid: [8, "u32"],
      tgid: [12, "u32"],
      flags: [16, "u32"],
      mm: [24, "u64"],
      files: [32, "u64"],
      fs: [40, "u64"],
      comm: [48, "u64"],
      stack: [56, "u64"],
    },
  },
});
const TASK_DEAD = 0x80;

Deno.test("a task has ended when it gave up all it had, not when one word says so", () => {
  for (const exit of [0x10, 0x20, 0x30]) {
    const ended = (state: number, ...kept: string[]) => {
      const guest = new FixtureGuest(TYPES);
      const task = guest.create("task_struct");
      guest.setU32(guest.at("task_struct", task, "exit_state"), exit);
      guest.setU32(task, state);
      for (const member of kept) {
        guest.setU64(guest.at("task_struct", task, member), 1n);
      }
      return readTask(guest.kernel, task).dead;
    };
    assert.equal(ended(TASK_DEAD), true);
    for (const state of [0, 1, 2, 0x402]) assert.equal(ended(state), false);
    for (const member of ["mm", "files", "fs", "stack"]) {
      assert.equal(ended(TASK_DEAD, member), false);
    }
  }
});
