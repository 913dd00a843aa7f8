/** Tables of sections that say anything: an end, and one sentence. */
import assert from "node:assert/strict";
import { XftraceError } from "../../base/errors.ts";
import { elfSections, elfText, gnuBuildId } from "./elf_sections.ts";

const TABLE = 128;
const NAMES = 64;

/** A file with these sections; the last one holds the names. */
function file(count: number, size = 8): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(TABLE + 64 * (count + 1));
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0x28, BigInt(TABLE), true);
  view.setUint16(0x3a, 64, true);
  view.setUint16(0x3c, count + 1, true);
  view.setUint16(0x3e, count, true);
  bytes.set(new TextEncoder().encode("\0.text\0"), NAMES);
  for (let i = 0; i <= count; i++) {
    const at = TABLE + 64 * i;
    view.setUint32(at, 1, true);
    view.setUint32(at + 4, 1, true);
    view.setBigUint64(at + 0x18, BigInt(NAMES), true);
    view.setBigUint64(at + 0x20, BigInt(size), true);
  }
  return bytes;
}

const read = (bytes: Uint8Array) =>
  elfSections(bytes, (what) => new XftraceError(`x ${what}`));

Deno.test("the sections of a file, and where it ends", () => {
  const { sections, end } = read(file(2));
  assert.deepEqual(sections.map(({ name, size }) => [name, size]), [
    [".text", 8],
    [".text", 8],
    [".text", 8],
  ]);
  assert.equal(end, TABLE + 3 * 64);
});

Deno.test("numbers that lead out of the file are refused in one sentence", () => {
  for (
    const [at, value] of [
      [0x28, 1n << 63n],
      [0x28, 0n],
      [0x28, 0xffff_ffffn],
      [0x3a, 0n],
      [0x3c, 0xffffn],
      [0x3e, 0xffffn],
      [TABLE + 0x18, 1n << 62n],
      [TABLE + 0x20, (1n << 64n) - 1n],
    ] as const
  ) {
    const bytes = file(2);
    const view = new DataView(bytes.buffer);
    if (at < 64 && at !== 0x28) view.setUint16(at, Number(value), true);
    else view.setBigUint64(at, value, true);
    assert.throws(() => read(bytes), /^XftraceError: x (is damaged|has no)/);
  }
  assert.throws(() => read(new Uint8Array(10)), XftraceError);
});

Deno.test("sections that are all the same bytes are refused", () => {
  // Each of them alone fits.
  assert.throws(() => read(file(1000, 100)), /x is damaged or cut short/);
});

Deno.test("a name without an end is cut", () => {
  const bytes = new Uint8Array(1 << 20).fill(0x61);
  assert.equal(elfText(bytes, 5).length, 512);
  assert.equal(elfText(bytes, 1 << 21), "");
});

Deno.test("notes whose sizes lead back do not end in a circle", () => {
  const notes = new Uint8Array(64);
  const view = new DataView(notes.buffer);
  // As a signed number, -12: the next note would be this one.
  view.setUint32(0, 0xffff_fff4, true);
  assert.equal(gnuBuildId(notes), undefined);
  view.setUint32(0, 4, true);
  view.setUint32(4, 0xffff_fff0, true);
  view.setUint32(8, 3, true);
  notes.set(new TextEncoder().encode("GNU\0"), 12);
  assert.equal(gnuBuildId(notes)?.length, 2 * 48);
});
