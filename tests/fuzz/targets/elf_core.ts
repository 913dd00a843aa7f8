/**
 * ELF cores and snapshots: headers, segments, notes, manifest, registers.
 *
 * @module
 */
import { archNamed, refuseMachine } from "../../../engine/arch/all.ts";
import {
  notedRegisters,
  registerNote,
} from "../../../engine/arch/register_note.ts";
import { QEMU_10 } from "../../../engine/arch/x86_64/registers_fixture.ts";
import { parseVmcoreinfo } from "../../../engine/kernel/locate/vmcoreinfo.ts";
import { BufferMemory } from "../../../engine/memory/buffer_memory_fixture.ts";
import { CoreMemory } from "../../../engine/memory/elf_core.ts";
import type { RecordedMemory } from "../../../engine/memory/dump/recorded_memory.ts";
import { bytesSource } from "../../../engine/memory/elf_core_source.ts";
import { encodeSnapshot } from "../../../engine/memory/snapshot_fixture.ts";
import { allOf } from "../all_of.ts";
import { type Field, mutateFields, numbers, packed } from "../fields.ts";
import type { Target } from "../target.ts";

/** The form of the first note's text. */
export const NOTE = [
  "OSRELEASE=6.1.0-fixture",
  "BUILD-ID=00112233445566778899aabbccddeeff00112233",
  "PAGESIZE=4096",
  "SYMBOL(swapper_pg_dir)=ffffffff82a10000",
  "SYMBOL(_stext)=ffffffff81000000",
  "NUMBER(phys_base)=0",
  "NUMBER(pgtable_l5_enabled)=0",
  "KERNELOFFSET=1000000",
  "",
].join("\n");

/** A small snapshot with notes of all kinds. */
export function snapshot(): Uint8Array<ArrayBuffer> {
  const memory = new BufferMemory(new Uint8Array(8 * 4096).fill(7));
  const { registers } = archNamed();
  return encodeSnapshot({
    memory,
    ranges: [{ start: 0, end: 0x2000 }, { start: 0x4000, end: 0x5000 }],
    machine: archNamed().elfMachine,
    notes: [
      registerNote(registers.fromMonitor(QEMU_10), "QEMU's monitor"),
      { name: "CORE", type: 1, desc: new Uint8Array(336) },
      { name: "QEMU", type: 0, desc: cpuState() },
    ],
    vmcoreinfo: NOTE,
    aliases: [{ gva: 0xffffffff82a10000n, gpa: 0x1000, length: 4096 }],
    manifest: {
      format: 1,
      xftrace: "0.3.0",
      created: "2026-01-01T00:00:00Z",
      target: "qemu:web1",
      content: "needed",
      ram: [[0, 0x8000]],
      kernel: { release: "6.1.0", kaslrOffset: "0x0", physBase: "0x0" },
      topTable: "0x1000",
    },
  });
}

/** QEMU's note of a vCPU. */
function cpuState(): Uint8Array {
  const state = new Uint8Array(440);
  const view = new DataView(state.buffer);
  view.setUint32(0, 1, true);
  view.setUint32(4, 440, true);
  view.setBigUint64(392, 0x80050033n, true);
  view.setBigUint64(416, 0x1000n, true);
  return state;
}

/** Headers, and the heads of notes. */
function fieldsOf(bytes: Uint8Array<ArrayBuffer>): Field[] {
  const view = new DataView(bytes.buffer);
  const count = view.getUint16(56, true);
  const fields = packed(16, [2, 2, 4, 8, 8, 8, 4, 2, 2, 2, 2, 2, 2]);
  for (let i = 0; i < count; i++) {
    fields.push(...packed(64 + 56 * i, [4, 4, 8, 8, 8, 8, 8, 8]));
  }
  let at = Number(view.getBigUint64(64 + 8, true));
  const end = at + Number(view.getBigUint64(64 + 32, true));
  while (at + 12 < end) {
    fields.push(...numbers(at, 4, 3), { at: at + 12, size: 8, text: true });
    const [name, desc] = [
      view.getUint32(at, true),
      view.getUint32(at + 4, true),
    ];
    at += 12;
    fields.push(...numbers(at + ((name + 3) & ~3), 8, Math.min(8, desc >> 3)));
    at += ((name + 3) & ~3) + ((desc + 3) & ~3);
  }
  return fields;
}

/** Reads all of a core that is asked for anywhere. */
export function readCore(core: RecordedMemory): void {
  const { registers } = archNamed();
  const word = new Uint8Array(64);
  allOf([
    () => core.dataRanges(),
    () => core.search(new Uint8Array([7, 7, 7, 7]), 10),
    () => notedRegisters(core.notes),
    () => registers.fromNotes(core.notes),
    () => core.vmcoreinfo !== undefined && parseVmcoreinfo(core.vmcoreinfo),
    ...core.ranges.slice(0, 100).flatMap(({ start, end }) => [
      () => core.read(start, word),
      () => core.read(end - 8, word),
      () => core.view(start, end - start),
    ]),
  ]);
}

export const elfCore: Target = {
  name: "core",
  open() {
    const bytes = snapshot();
    const fields = fieldsOf(bytes);
    return {
      seeds: [[bytes]],
      mutate(input, random) {
        input[0] = mutateFields(input[0], fields, random);
      },
      run([bytes]) {
        using core = new CoreMemory(
          "f.core",
          bytesSource(bytes),
          refuseMachine,
        );
        readCore(core);
      },
    };
  },
};
