import assert from "node:assert/strict";
import { buildIdOf, readRelocatable, textLayout } from "./relocatable.ts";

/** Builds a relocatable ELF file with these sections and their names. */
function elf(
  sections: readonly { name: string; flags: number; align: number }[],
): Uint8Array<ArrayBuffer> {
  const names = ["", ...sections.map(({ name }) => name), ".shstrtab"];
  const text = new TextEncoder().encode(names.join("\0") + "\0");
  const table = 64 + text.length;
  const file = new Uint8Array(table + 64 * names.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46]);
  view.setUint16(16, 1, true);
  view.setBigUint64(0x28, BigInt(table), true);
  view.setUint16(0x3a, 64, true);
  view.setUint16(0x3c, names.length, true);
  view.setUint16(0x3e, names.length - 1, true);
  file.set(text, 64);
  let nameAt = 0;
  names.forEach((name, i) => {
    const at = table + 64 * i;
    view.setUint32(at, nameAt, true);
    nameAt += name.length + 1;
    const section = sections[i - 1];
    view.setUint32(at + 4, 1, true);
    view.setBigUint64(at + 8, BigInt(section?.flags ?? 0), true);
    view.setBigUint64(at + 0x18, 64n, true);
    const size = i === names.length - 1 ? text.length : 5;
    view.setBigUint64(
      at + 0x20,
      BigInt(section === undefined ? size : 5),
      true,
    );
    view.setBigUint64(at + 0x30, BigInt(section?.align ?? 1), true);
  });
  return file;
}

const ALLOC = 2;
const CODE = 6;

Deno.test("permanent code is laid out as the loader does it", () => {
  const file = readRelocatable(
    "m.ko",
    elf([
      { name: ".text", flags: CODE, align: 16 },
      { name: ".data", flags: ALLOC, align: 8 },
      { name: ".init.text", flags: CODE, align: 16 },
      { name: ".exit.text", flags: CODE, align: 16 },
      { name: ".text.unlikely", flags: CODE, align: 1 },
      { name: ".notes", flags: 0, align: 1 },
    ]),
  );
  const { offsets, size } = textLayout(file);
  assert.deepEqual(
    [...offsets].map(([i, offset]) => [file.sections[i].name, offset]),
    [[".text", 0], [".exit.text", 16], [".text.unlikely", 21]],
  );
  assert.equal(size, 26);
  assert.equal(buildIdOf(file), undefined);
});

Deno.test("a file that is not a module, or is cut short, is refused by name", () => {
  assert.throws(
    () => readRelocatable("m.ko", new Uint8Array(100)),
    /m\.ko is no module of a kernel: it is no relocatable ELF file/,
  );
  const whole = elf([{ name: ".text", flags: CODE, align: 16 }]);
  for (const cut of [65, 100, whole.length - 10]) {
    assert.throws(
      () => readRelocatable("m.ko", whole.subarray(0, cut)),
      /m\.ko is no module of a kernel: it is damaged or cut short/,
    );
  }
});

Deno.test("sections that overlap, and tables without an end, are refused", () => {
  const table = (file: Uint8Array) =>
    Number(new DataView(file.buffer).getBigUint64(0x28, true));
  for (const type of [1, 2, 4]) {
    const file = elf([
      { name: ".text", flags: CODE, align: 16 },
      { name: ".symtab", flags: 0, align: 8 },
    ]);
    const view = new DataView(file.buffer);
    view.setUint32(table(file) + 128 + 4, type, true);
    for (const size of [BigInt(file.length), 2n ** 63n]) {
      view.setBigUint64(table(file) + 128 + 0x20, size, true);
      assert.throws(
        () => readRelocatable("m.ko", file),
        /m\.ko is no module of a kernel: it is damaged or cut short/,
      );
    }
  }
});

Deno.test("a name ends where the longest of a kernel does", () => {
  const file = elf([{ name: "x".repeat(5000), flags: CODE, align: 16 }]);
  assert.equal(readRelocatable("m.ko", file).sections[1].name.length, 512);
});
