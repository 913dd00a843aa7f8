import assert from "node:assert/strict";
import { parseQemuCpu } from "./cpu_note.ts";

Deno.test("the CPU state written by QEMU is read", () => {
  const desc = new Uint8Array(440);
  const view = new DataView(desc.buffer);
  view.setUint32(0, 1, true);
  view.setUint32(4, 440, true);
  view.setBigUint64(8 + 16 * 8, 0xffffffff81000000n, true);
  view.setBigUint64(8 + 18 * 8 + 9 * 24 + 16, 0xfffffe0000000000n, true);
  view.setBigUint64(8 + 18 * 8 + 240 + 24, 0x10a000n, true);
  const cpu = parseQemuCpu(desc);
  assert.equal(cpu?.rip, 0xffffffff81000000n);
  assert.equal(cpu?.idtBase, 0xfffffe0000000000n);
  assert.equal(cpu?.cr3, 0x10a000n);
  assert.equal(cpu?.kernelGsBase, 0n);
  assert.equal(parseQemuCpu(desc.subarray(0, 431)), undefined);
  view.setUint32(0, 2, true);
  assert.equal(parseQemuCpu(desc), undefined);
});
