/**
 * The kernel's table of symbols, in memory.
 *
 * @module
 */
import { archNamed } from "../../../engine/arch/all.ts";
import { findKallsyms } from "../../../engine/kernel/locate/kallsyms_scan.ts";
import {
  expandKallsyms,
  type KallsymsAddresses,
  readKallsyms,
} from "../../../engine/kernel/symbols/kallsyms.ts";
import {
  encodeImage,
  type FixtureImage,
  fixtureSymbols,
  LAYOUTS,
  RODATA,
} from "../../../engine/kernel/symbols/kallsyms_fixture.ts";
import { MemoryError } from "../../../engine/base/errors.ts";
import { BufferMemory } from "../../../engine/memory/buffer_memory_fixture.ts";
import { type Field, mutateFields, numbers } from "../fields.ts";
import type { Target } from "../target.ts";

const TEXT = 0xffffffff81000000n;
/** Where the tables are in an image, and how many bytes of it are an input. */
const TABLES = RODATA + 0x3000;
const BYTES = 0x8000;

function images(): FixtureImage[] {
  return Object.values(LAYOUTS).map((layout) =>
    encodeImage(
      fixtureSymbols(TEXT, 700, layout.encoding === "absolute-percpu"),
      TEXT,
      layout,
    )
  );
}

function fieldsOf(at: KallsymsAddresses): Field[] {
  const offset = (gva: bigint) => Number(gva - TEXT) - TABLES + 1;
  return [
    { at: offset(at.numSyms), size: 4 },
    ...(at.relativeBase === undefined
      ? []
      : [{ at: offset(at.relativeBase), size: 8 }]),
    ...numbers(offset(at.names), 1, 200),
    ...numbers(offset(at.tokenIndex), 2, 256),
    ...numbers(offset(at.tokenTable), 1, 100),
    ...numbers(offset(at.offsets), 4, 60),
    { at: offset(at.names) + 1, size: 12, text: true },
  ];
}

type Addresses = FixtureImage["at"];

/** A target over images of which the tables are changed. */
function overTables(
  name: string,
  read: (memory: Uint8Array<ArrayBuffer>, at: Addresses) => void,
): Target {
  return {
    name,
    open() {
      const made = images();
      const fields = made.map(({ at }) => fieldsOf(at));
      const memories = made.map(({ bytes }) => bytes.slice());
      return {
        // The first byte says whose addresses are believed.
        seeds: made.map(({ bytes }, i) => [
          new Uint8Array([i, ...bytes.subarray(TABLES, TABLES + BYTES)]),
        ]),
        mutate(input, random) {
          const own = fields[input[0][0] % fields.length] ?? fields[0];
          input[0] = mutateFields(input[0], own, random, [TEXT, TEXT - 1n]);
        },
        run([bytes]) {
          const which = (bytes[0] ?? 0) % made.length;
          const memory = memories[which];
          memory.fill(0, TABLES, TABLES + BYTES);
          memory.set(bytes.subarray(1, 1 + BYTES), TABLES);
          read(memory, made[which].at);
        },
      };
    },
  };
}

export const kallsyms: Target = overTables("kallsyms", (memory, at) => {
  const read = (gva: bigint, into: Uint8Array) => {
    const from = Number(gva - TEXT);
    if (from < 0 || from + into.length > memory.length) {
      throw new MemoryError("image", gva, "outside");
    }
    into.set(memory.subarray(from, from + into.length));
  };
  expandKallsyms(readKallsyms(read, at), archNamed().image.range);
});

/** The search for the tables, when no note says where they are. */
export const kallsymsScan: Target = overTables("kallsyms_scan", (memory) => {
  findKallsyms(new BufferMemory(memory));
});
