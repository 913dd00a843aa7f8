import assert from "node:assert/strict";
import { type Board, boardOf } from "../../memory/ram_layout.ts";
import { I440FX, I440FX_1, machines, MICROVM, Q35 } from "./boards.ts";
import { single } from "../../memory/ram_layout_fixture.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

Deno.test("boards are recognized by machine type", () => {
  const boards: Record<string, Board | undefined> = {
    "q35": Q35,
    "pc-q35-7.2": Q35,
    "pc-q35-rhel9.2.0": Q35,
    "pc": I440FX,
    "pc-i440fx-jammy": I440FX,
    "pc-i440fx-2.0": I440FX,
    "pc-i440fx-1.7": I440FX_1,
    "pc-1.3": I440FX_1,
    "microvm": MICROVM,
    "virt": undefined,
    "isapc": undefined,
    "xenfv": undefined,
  };
  for (const [type, board] of Object.entries(boards)) {
    assert.equal(boardOf(type, machines.boards), board, type);
  }
});

Deno.test("RAM is split as each board splits it", () => {
  const half = 2816 * MIB;
  assert.deepEqual(single(Q35, half - 8192), [[0, half - 8192, 0]]);
  assert.deepEqual(single(Q35, half), [
    [0, 2 * GIB, 0],
    [4 * GIB, 4 * GIB + 768 * MIB, 2 * GIB],
  ]);
  assert.deepEqual(single(I440FX, 3583 * MIB), [[0, 3583 * MIB, 0]]);
  assert.deepEqual(single(I440FX, 3584 * MIB), [
    [0, 3 * GIB, 0],
    [4 * GIB, 4 * GIB + 512 * MIB, 3 * GIB],
  ]);
  assert.deepEqual(single(I440FX_1, 4 * GIB), [
    [0, 3584 * MIB, 0],
    [4 * GIB, 4 * GIB + 512 * MIB, 3584 * MIB],
  ]);
  assert.deepEqual(single(MICROVM, 3 * GIB), [[0, 3 * GIB, 0]]);
  assert.deepEqual(single(MICROVM, 4 * GIB), [
    [0, 3 * GIB, 0],
    [4 * GIB, 5 * GIB, 3 * GIB],
  ]);
});

Deno.test("max-ram-below-4g moves the split", () => {
  assert.deepEqual(single(Q35, 4 * GIB, GIB), [
    [0, GIB, 0],
    [4 * GIB, 7 * GIB, GIB],
  ]);
  assert.deepEqual(single(I440FX, 4 * GIB, 2 * GIB), [
    [0, 2 * GIB, 0],
    [4 * GIB, 6 * GIB, 2 * GIB],
  ]);
  // The example from QEMU's source: -M pc,max-ram-below-4g=4G -m 3968M.
  assert.equal(I440FX.low(3968 * MIB, 4 * GIB), 3968 * MIB);
});
