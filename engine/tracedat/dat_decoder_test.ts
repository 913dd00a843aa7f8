/**
 * Pages that are decoded in words, compared with the same pages with all checks.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { EventColumns, PageArena } from "../ftrace/ring/columns.ts";
import { DatDecoder } from "./dat_decoder.ts";
import { datFile, openDatBytes } from "./dat_fixture.ts";

const PAGE = 512;

function layout() {
  using trace = openDatBytes(
    datFile({ version: 7, little: true, longSize: 8 }),
  );
  return trace.layout;
}

/** What is decoded of a page at a place of its arena. */
function decoded(
  words: readonly number[],
  size: number,
  decoder: DatDecoder,
  place: number,
) {
  const arena = new PageArena(PAGE, 4);
  for (let i = 0; i < 3; i++) arena.acquire();
  new Uint8Array(arena.bytes.buffer, place, PAGE).set(
    new Uint8Array(Uint32Array.from(words).buffer),
  );
  const columns = new EventColumns(1_000_000n);
  // What was there before is overwritten.
  columns.reserve(200);
  columns.func.fill(77);
  columns.depth.fill(77);
  columns.duration.fill(77);
  const problem = decoder.decode(arena, place, size, 1, columns);
  const rows = Array.from({ length: columns.length }, (_, row) => [
    columns.ts[row],
    columns.cpu[row],
    columns.type[row],
    columns.pid[row],
    columns.offset[row] - place,
    columns.size[row],
    columns.kind[row],
    columns.functionAt(row),
    columns.depth[row],
    columns.duration[row],
  ]);
  return { rows, problem, lost: columns.lost };
}

// Ids of the fixture's entry, return and another event.
const id = fc.constantFrom(11, 10, 316, 0, 0xffff);
const any = fc.oneof(
  fc.nat(0xffff_ffff),
  fc.constantFrom(0, 1, 4, 8, 0xffff_ffff, 0x8000_0000),
);
/** Events as kernels write them, and what none writes. */
const part = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(
      fc.integer({ min: 2, max: 12 }),
      fc.nat(1 << 20),
      id,
      fc.array(any, { minLength: 12, maxLength: 12 }),
    ).map(([words, delta, type, rest]) => [
      (delta << 5 | words) >>> 0,
      type,
      ...rest.slice(0, words - 1),
    ]),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(any, any).map(([delta, more]) => [
      (delta << 5 | 30) >>> 0,
      more,
    ]),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(3), id, any).map(([extra, type, pid]) => [
      0,
      4 + 8 + 4 * extra,
      type,
      pid,
      ...Array<number>(extra).fill(5),
    ]),
  },
  {
    weight: 1,
    arbitrary: fc.nat(4).map((words) => [
      29,
      4 + 4 * words,
      ...Array<number>(words).fill(9),
    ]),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(any, any).map(([head, more]) => [head, more]),
  },
);

Deno.test("pages are decoded alike in words and with all checks", () => {
  const found = layout();
  const plain = new DatDecoder(found, true);
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 20 }),
      fc.tuple(any, fc.integer({ min: -8, max: 8 }), fc.boolean(), fc.nat(9)),
      (parts, [stamp, off, missed, cut]) => {
        const data = parts.flat().slice(0, PAGE / 4 - 4);
        const commit = Math.max(0, 4 * data.length + (cut === 0 ? off : 0)) |
          (missed ? 0x8000_0000 : 0);
        const words = [stamp, 0, commit >>> 0, 0, ...data];
        const size = cut === 1 ? PAGE - 100 : PAGE;
        // A page that does not begin at 8 bytes is decoded with all checks.
        assert.deepEqual(
          decoded(words, size, plain, PAGE),
          decoded(words, size, plain, PAGE + 4),
        );
      },
    ),
    { numRuns: 5000, seed: 1 },
  );
});
