import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { lookAgain, missing, type TaskLists } from "./task_lists.ts";

const lists = (listed: bigint[], pids: bigint[]): TaskLists => ({
  listed: new Set(listed),
  pids: new Set(pids),
});

Deno.test("a task that begins or ends is told from one that stays hidden", () => {
  const [born, dying, hidden] = [1n, 2n, 3n];
  let pass = 0;
  const later = lookAgain([born, dying, hidden], {
    lists: () => ++pass === 1 ? lists([], []) : lists([born], [born, hidden]),
    ended: (gva) => gva === dying && pass > 2,
  });
  assert.deepEqual([...later], [[born, "listed"], [dying, "ended"]]);
  assert.deepEqual(missing(lists([], [hidden]), hidden), ["the task list"]);
});

Deno.test("lists that cannot be read explain nothing", () => {
  let pass = 0;
  const later = lookAgain([1n], {
    lists: () => {
      pass++;
      throw new KernelError("damaged or in flux");
    },
    ended: () => true,
  });
  assert.deepEqual([later.size, pass], [0, 8]);
});

Deno.test("the lists are read once when they explain everything, and not for nothing", () => {
  let pass = 0;
  const reading = {
    lists: () => {
      pass++;
      return lists([1n], [1n]);
    },
    ended: () => false,
  };
  assert.equal(lookAgain([], reading).size, 0);
  assert.equal(pass, 0);
  assert.equal(lookAgain([1n], reading).get(1n), "listed");
  assert.equal(pass, 1);
});
