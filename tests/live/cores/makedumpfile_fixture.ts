/**
 * An ELF core of a guest in the form that makedumpfile converts: it takes the
 * program headers to follow the ELF header, which QEMU's do not, and needs the
 * kernel's vmcoreinfo as a note, which QEMU only has with `-device vmcoreinfo`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { encodeNotes } from "../../../engine/memory/elf_core_notes.ts";
import { openCoreSession } from "../../../engine/session.ts";

/** Where the memory begins in the file. */
const DATA = 1 << 16;
/** Bytes of the kernel's image that are mapped a second time. */
const IMAGE = 32 << 20;

/** Writes all of an open file. */
export async function writeAll(
  file: Deno.FsFile,
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await file.write(bytes.subarray(at));
  }
}

/**
 * Writes that core.
 *
 * @param memory all of the guest's memory; GPAs are offsets
 * @param elf QEMU's ELF core of the same guest
 */
export async function makedumpfileCore(
  memory: Uint8Array,
  elf: string,
  path: string,
): Promise<void> {
  using session = openCoreSession(`core:${elf}`, elf);
  const { arch, facts, space, symbols } = session.kernel;
  const map = arch.image.directMap(symbols, (gva) => space.u64(gva));
  const text = symbols.address("_text");
  const image = space.tryTranslate(text)?.gpa;
  assert.ok(map !== undefined && image !== undefined);
  const notes = encodeNotes([
    { name: "CORE", type: 1, desc: new Uint8Array(336) },
    {
      name: "VMCOREINFO",
      type: 0,
      desc: new TextEncoder().encode(facts.vmcoreinfo),
    },
  ]);
  const head = new Uint8Array(DATA);
  const view = new DataView(head.buffer);
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 4, true);
  view.setUint16(18, arch.elfMachine, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 3, true);
  const segments: [number, number, bigint, number, number][] = [
    [4, 4096, 0n, 0, notes.length],
    [1, DATA + image, text, image, IMAGE],
    [1, DATA, map, 0, memory.length],
  ];
  segments.forEach(([type, offset, gva, gpa, size], i) => {
    const at = 64 + 56 * i;
    view.setUint32(at, type, true);
    view.setUint32(at + 4, 7, true);
    view.setBigUint64(at + 8, BigInt(offset), true);
    view.setBigUint64(at + 16, gva, true);
    view.setBigUint64(at + 24, BigInt(gpa), true);
    view.setBigUint64(at + 32, BigInt(size), true);
    view.setBigUint64(at + 40, BigInt(size), true);
  });
  head.set(notes, 4096);
  using out = await Deno.open(path, { write: true, createNew: true });
  await writeAll(out, head);
  await writeAll(out, memory);
}

/** Runs makedumpfile with these options, which may have `-F`. */
export function makedumpfile(
  options: string,
  from: string,
  to: string,
): void {
  const flat = options.includes("-F");
  const { status, stdout, stderr } = spawnSync(
    "makedumpfile",
    [...options.split(" "), from, ...(flat ? [] : [to])],
    { maxBuffer: 1 << 30 },
  );
  assert.equal(status, 0, String(stderr));
  if (flat) Deno.writeFileSync(to, stdout);
}
