import assert from "node:assert/strict";
import { notedRegisters, registerNote } from "../register_note.ts";
import type { CpuRegisters } from "../registers.ts";
import { registers } from "./registers.ts";
import { QEMU_10, QEMU_7_2 } from "./registers_fixture.ts";

/** Registers of a vCPU that runs 64-bit code with paging of four levels. */
const cpu = (values: Record<string, bigint> = {}): CpuRegisters => ({
  cpu: 0,
  values: {
    cr0: 0x80050033n,
    cr3: 0x11910000n,
    cr4: 0x750ef0n,
    efer: 0xd01n,
    ...values,
  },
});

Deno.test("the monitor's text: every vCPU, whatever the line endings", () => {
  const [first, second, ...more] = registers.fromMonitor(QEMU_10);
  assert.deepEqual(more, []);
  assert.equal(first.cpu, 0);
  assert.equal(second.cpu, 1);
  assert.deepEqual(first.values, {
    rip: 0xffffffff8ba592ebn,
    cpl: 0n,
    smm: 0n,
    hlt: 1n,
    cr0: 0x80050033n,
    cr2: 0x00007ffe656c7ec0n,
    cr3: 0x11910000n,
    cr4: 0x751ef0n,
    dr0: 0n,
    dr1: 0n,
    dr2: 0n,
    dr3: 0n,
    dr6: 0xffff0ff0n,
    dr7: 0x400n,
    efer: 0xd01n,
    cs: 0x10n,
    "cs.base": 0n,
    fs: 0n,
    "fs.base": 0n,
    gs: 0n,
    "gs.base": 0xff2444339ec00000n,
    "gdtr.base": 0xfffffe0000001000n,
    "gdtr.limit": 0x7fn,
    "idtr.base": 0xfffffe0000000000n,
    "idtr.limit": 0xfffn,
  });
  assert.equal(second.values["gs.base"], 0xff2444339ed00000n);
  const [older] = registers.fromMonitor(QEMU_7_2);
  assert.deepEqual(Object.keys(older.values), Object.keys(first.values));
  assert.equal(older.values.cr3, 0x8a22000n);
  assert.equal(older.values["gdtr.base"], 0xfffffe4251c88000n);
  const crlf = registers.fromMonitor(QEMU_10.replaceAll("\n", "\r\n"));
  assert.deepEqual(crlf, [first, second]);
});

Deno.test("the monitor's text: a vCPU in real mode, and text of another kind", () => {
  const [old] = registers.fromMonitor(
    "EAX=00000000 EBX=00000000\nEIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0\n" +
      "CS =f000 ffff0000 0000ffff 00009b00\nGDT=     00000000 0000ffff\n" +
      "IDT=     00000000 0000ffff\nCR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000\n",
  );
  assert.equal(old.values.rip, 0xfff0n);
  assert.equal(registers.paging(old), "off");
  for (const text of ["", "unknown command: 'info registers'\n", "CPU#0\n"]) {
    assert.deepEqual(registers.fromMonitor(text), []);
  }
});

Deno.test("page tables: levels, the PCID, and the copy for user programs", () => {
  assert.deepEqual(registers.paging(cpu()), { root: 0x11910000, levels: 4 });
  assert.deepEqual(
    registers.paging(cpu({ cr3: 0x8000_0000_1191_0805n, cr4: 0x751ef0n })),
    { root: 0x11910000, levels: 5 },
  );
  assert.deepEqual(
    registers.paging(cpu({ cr3: 0x11911802n })),
    { root: 0x11911000, levels: 4, partner: 0x11910000 },
  );
  assert.equal(registers.paging(cpu({ cr0: 0x33n, hlt: 1n })), "off");
  const starting = registers.paging(cpu({ cr0: 0x33n, hlt: 0n }));
  assert.ok(starting !== "off" && "why" in starting);
  const smm = registers.paging(cpu({ smm: 1n }));
  assert.ok(smm !== "off" && "why" in smm);
});

Deno.test("QEMU's notes in a core: damaged and foreign ones are left out", () => {
  const desc = new Uint8Array(440);
  const view = new DataView(desc.buffer);
  view.setUint32(0, 1, true);
  view.setUint32(4, 440, true);
  view.setBigUint64(8 + 16 * 8, 0xffffffff81000000n, true);
  const segment = (index: number, selector: number, base: bigint) => {
    const at = 152 + index * 24;
    view.setUint32(at, selector, true);
    view.setUint32(at + 4, 0xfff, true);
    view.setBigUint64(at + 16, base, true);
  };
  segment(0, 0x33, 0n);
  segment(4, 0, 0x7f0000000000n);
  segment(8, 0, 0xfffffe0000001000n);
  segment(9, 0, 0xfffffe0000000000n);
  [0x80050033n, 0n, 1n, 0x11910000n, 0x751ef0n].forEach((value, i) =>
    view.setBigUint64(392 + 8 * i, value, true)
  );
  view.setBigUint64(432, 0xff2444339ec00000n, true);
  const note = { name: "QEMU", type: 0, desc };
  const [only, ...more] = registers.fromNotes([
    { ...note, desc: desc.subarray(0, 100) },
    { ...note, name: "CORE" },
    { ...note, type: 7 },
    { ...note, desc: new Uint8Array(440) },
    note,
  ]);
  assert.deepEqual(more, []);
  const { values } = only;
  assert.equal(values.rip, 0xffffffff81000000n);
  assert.equal(values.cpl, 3n);
  assert.equal(values["gs.base"], 0x7f0000000000n);
  assert.equal(values["kernel_gs.base"], 0xff2444339ec00000n);
  assert.equal(values["idtr.base"], 0xfffffe0000000000n);
  assert.equal(values["idtr.limit"], 0xfffn);
  assert.equal(values.cr4, 0x751ef0n);
  assert.equal(values.efer, undefined);
});

Deno.test("a snapshot keeps registers; a damaged note is none", () => {
  const cpus = registers.fromMonitor(QEMU_10);
  const note = registerNote(cpus, "QEMU's monitor");
  assert.deepEqual(notedRegisters([note]), { cpus, from: "QEMU's monitor" });
  const text = (value: unknown) => ({
    ...note,
    desc: new TextEncoder().encode(JSON.stringify(value)),
  });
  for (
    const bad of [
      { ...note, desc: note.desc.subarray(0, 50) },
      text(null),
      text({ from: "x".repeat(101), cpus: [] }),
      text({ from: "x", cpus: [{ cpu: -1, values: {} }] }),
      text({ from: "x", cpus: [{ cpu: 0, values: { cr3: "0xg" } }] }),
      text({ from: "x", cpus: Array(9000).fill({ cpu: 0, values: {} }) }),
    ]
  ) assert.equal(notedRegisters([bad]), undefined);
  assert.equal(notedRegisters([]), undefined);
});

Deno.test("registers: text without end is read once", () => {
  for (const piece of ["\n", " ", "\r\n", "CPU#0 ", "CR3=", "GDT= ", "CS "]) {
    const found = registers.fromMonitor(piece.repeat(200_000) + QEMU_10);
    assert.ok(found.length <= 2, piece);
  }
  assert.equal(registers.fromMonitor("\n".repeat(200_000) + QEMU_10).length, 2);
});
