/**
 * Kernel images and modules, which users name: sections, names, relocations.
 *
 * @module
 */
import { gzipSync } from "node:zlib";
import { archNamed } from "../../../engine/arch/all.ts";
import { XftraceError } from "../../../engine/base/errors.ts";
import { imageSymbols } from "../../../engine/detect/text/image_symbols.ts";
import {
  buildIdOf,
  readRelocatable,
  textLayout,
} from "../../../engine/detect/text/relocatable.ts";
import { readVmlinux } from "../../../engine/detect/text/vmlinux.ts";
import { allOf } from "../all_of.ts";
import { type Field, mutateFields, numbers, packed } from "../fields.ts";
import type { Target } from "../target.ts";

type Bytes = Uint8Array<ArrayBuffer>;

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags?: number;
  readonly address?: bigint;
  readonly bytes: Uint8Array;
  readonly link?: number;
  readonly info?: number;
  readonly entry?: number;
}

const HEADER = 64;

/** An ELF file with these sections, and the fields of all its tables. */
function elf(
  type: number,
  sections: readonly Section[],
): { bytes: Bytes; fields: Field[] } {
  const names = ["", ...sections.map(({ name }) => name), ".shstrtab"];
  const strings = new TextEncoder().encode(names.join("\0") + "\0");
  const bodies = [...sections.map(({ bytes }) => bytes), strings];
  let at = HEADER;
  const offsets = bodies.map((body) => {
    const here = at;
    at = (at + body.length + 15) & ~15;
    return here;
  });
  const table = at;
  const bytes = new Uint8Array(table + HEADER * names.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, type, true);
  view.setUint16(18, 62, true);
  view.setBigUint64(0x28, BigInt(table), true);
  view.setUint16(0x3a, HEADER, true);
  view.setUint16(0x3c, names.length, true);
  view.setUint16(0x3e, names.length - 1, true);
  let nameAt = 1;
  const fields = packed(16, [2, 2, 4, 8, 8, 8, 4, 2, 2, 2, 2, 2, 2]);
  bodies.forEach((body, i) => {
    const section = sections[i];
    bytes.set(body, offsets[i]);
    const head = table + HEADER * (i + 1);
    view.setUint32(head, nameAt, true);
    nameAt += names[i + 1].length + 1;
    view.setUint32(head + 4, section?.type ?? 3, true);
    view.setBigUint64(head + 8, BigInt(section?.flags ?? 0), true);
    view.setBigUint64(head + 0x10, section?.address ?? 0n, true);
    view.setBigUint64(head + 0x18, BigInt(offsets[i]), true);
    view.setBigUint64(head + 0x20, BigInt(body.length), true);
    view.setUint32(head + 0x28, section?.link ?? 0, true);
    view.setUint32(head + 0x2c, section?.info ?? 0, true);
    view.setBigUint64(head + 0x30, 16n, true);
    view.setBigUint64(head + 0x38, BigInt(section?.entry ?? 0), true);
    fields.push(...packed(head, [4, 4, 8, 8, 8, 8, 4, 4, 8, 8]));
    fields.push(...numbers(offsets[i], 4, Math.min(24, body.length >> 2)));
  });
  return { bytes, fields };
}

const words = (...values: number[]) =>
  new Uint8Array(Uint32Array.from(values).buffer);

/** The note of a build id. */
const NOTE = new Uint8Array([
  ...words(4, 20, 3),
  ...new TextEncoder().encode("GNU\0"),
  ...new Uint8Array(20).fill(0xab),
]);

function image(): { bytes: Bytes; fields: Field[] } {
  const { bytes, fields } = elf(2, [
    {
      name: ".text",
      type: 1,
      flags: 6,
      address: 0xffffffff81000000n,
      bytes: new Uint8Array(256).fill(0x90),
    },
    {
      name: ".rodata",
      type: 1,
      flags: 2,
      address: 0xffffffff82000000n,
      bytes: new TextEncoder().encode("Linux version 6.1.0\n\0"),
    },
    { name: ".notes", type: 7, flags: 2, bytes: NOTE },
    { name: ".bss", type: 8, flags: 3, bytes: new Uint8Array(0) },
  ]);
  // 0, 64-bit relocations, 0, inverse ones, 0, 32-bit ones.
  const tail = words(
    0,
    0x81000020,
    0,
    0x81000030,
    0,
    0x81000008,
    0x81000004,
  );
  return {
    bytes: new Uint8Array([...bytes, ...tail]),
    fields: [...fields, ...numbers(bytes.length, 4, 7)],
  };
}

/** The image as a boot loader takes it. */
function bzImage(payload: Uint8Array): Bytes {
  const file = new Uint8Array(1024 + payload.length);
  const view = new DataView(file.buffer);
  file[0x1f1] = 1;
  view.setUint32(0x202, 0x53726448, true);
  view.setUint32(0x248, 0, true);
  view.setUint32(0x24c, payload.length, true);
  file.set(payload, 1024);
  return file;
}

export const vmlinux: Target = {
  name: "vmlinux",
  open() {
    const { bytes, fields } = image();
    const packedFields: Field[] = [
      ...packed(0x1f1, [1]),
      ...numbers(0x200, 4, 24),
      ...numbers(1024, 1, 20),
    ];
    return {
      seeds: [[bytes], [bzImage(gzipSync(bytes))]],
      mutate(input, random) {
        const own = input[0][0] === 0x7f ? fields : packedFields;
        input[0] = mutateFields(input[0], own, random);
      },
      repair(input, random) {
        // A damaged image in a container that is right.
        if (input[0][0] === 0x7f && random.next(4) === 0) {
          input[0] = bzImage(gzipSync(input[0]));
        }
      },
      run([bytes]) {
        const image = readVmlinux("vmlinux", bytes, () => {
          throw new XftraceError("no tool");
        });
        allOf([
          ...image.sections.slice(0, 64).map(({ bytes, address }) => () =>
            image.relocations.apply(
              bytes.slice(0, 1 << 16),
              address,
              0x1000000n,
            )
          ),
          () => imageSymbols(image),
        ]);
      },
    };
  },
};

/** A symbol of a relocatable file. */
function symbol(name: number, info: number, section: number, value: number) {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, name, true);
  bytes[4] = info;
  view.setUint16(6, section, true);
  view.setBigUint64(8, BigInt(value), true);
  return bytes;
}

/** A relocation with an addend. */
function relocation(at: number, type: number, symbol: number) {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(at), true);
  view.setUint32(8, type, true);
  view.setUint32(12, symbol, true);
  view.setBigInt64(16, -4n, true);
  return bytes;
}

function objectFile(): { bytes: Bytes; fields: Field[] } {
  const join = (...parts: Uint8Array[]) =>
    new Uint8Array(parts.flatMap((part) => [...part]));
  return elf(1, [
    {
      name: ".text",
      type: 1,
      flags: 6,
      bytes: new Uint8Array(64).fill(0x90),
    },
    {
      name: ".rela.text",
      type: 4,
      link: 3,
      info: 1,
      entry: 24,
      bytes: join(
        relocation(1, 4, 1),
        relocation(8, 2, 2),
        relocation(16, 1, 2),
      ),
    },
    {
      name: ".symtab",
      type: 2,
      link: 4,
      entry: 24,
      bytes: join(
        symbol(0, 0, 0, 0),
        symbol(1, 0x12, 1, 0),
        symbol(6, 0x10, 0, 0),
      ),
    },
    {
      name: ".strtab",
      type: 3,
      bytes: new TextEncoder().encode("\0init\0printk\0"),
    },
    { name: ".note.gnu.build-id", type: 7, flags: 2, bytes: NOTE },
    { name: ".bss", type: 8, flags: 3, bytes: new Uint8Array(0) },
  ]);
}

export const moduleFile: Target = {
  name: "module",
  open() {
    const { bytes, fields } = objectFile();
    return {
      seeds: [[bytes]],
      mutate(input, random) {
        input[0] = mutateFields(input[0], fields, random);
      },
      run([bytes]) {
        const file = readRelocatable("m.ko", bytes);
        allOf([() => textLayout(file), () => buildIdOf(file)]);
      },
    };
  },
};

/** Any bytes as instructions. */
export const instructions: Target = {
  name: "instructions",
  open() {
    const { instructions } = archNamed();
    const decoder = instructions.decoder();
    const text = new Uint8Array(1024);
    const samples = [
      [0xe8, 1, 0, 0, 0],
      [0x0f, 0x1f, 0x44, 0, 0],
      [0x48, 0x8b, 0x05, 1, 2, 3, 4],
      [0xff, 0x25, 0, 0, 0, 0],
      [0x62, 0xf1, 0x7c, 0x48, 0x28],
      [0xc4, 0xe2, 0x7d, 0x18, 0x05],
      [0x66, 0x0f, 0x3a, 0x0f, 0xc1, 8],
    ];
    for (let at = 0, i = 0; at + 8 < text.length; i++) {
      const sample = samples[i % samples.length];
      text.set(sample, at);
      at += sample.length;
    }
    const fields = numbers(0, 1, text.length);
    return {
      seeds: [[text]],
      mutate(input, random) {
        for (let i = 0; i < 8; i++) {
          input[0] = mutateFields(input[0], fields, random, [
            0x66n,
            0x48n,
            0xf0n,
            0xc4n,
            0x62n,
            0x0fn,
          ]);
        }
      },
      run([bytes]) {
        for (let at = 0; at < bytes.length;) {
          const length = decoder.decode(bytes, at);
          instructions.branchAt(bytes.subarray(at), 0xffffffff81000000n);
          instructions.nopAt(bytes.subarray(at));
          at += length > 0 ? length : 1;
        }
        instructions.isThunkPage(bytes);
      },
    };
  },
};
