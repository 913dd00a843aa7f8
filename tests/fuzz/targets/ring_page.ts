/**
 * Pages of ring buffers, and the text of their events.
 *
 * @module
 */
import {
  EventColumns,
  PageArena,
} from "../../../engine/ftrace/ring/columns.ts";
import {
  FIXTURES,
  loadFixture,
} from "../../../engine/ftrace/ring/fixtures/load_fixture.ts";
import { PAGE_STATUS, PageDecoder } from "../../../engine/ftrace/ring/page.ts";
import { TraceText } from "../../../engine/output/text/trace_text.ts";
import { type Field, mutateFields, numbers } from "../fields.ts";
import type { Target } from "../target.ts";

const PAGE = 4096;
const DATA = 16;

/** Which page it is, then the page. */
const RECORDING = 1;

/** The page, the words of its events' heads, and their payloads. */
function fieldsOf(): Field[] {
  return [
    ...numbers(RECORDING, 8, 2),
    ...numbers(RECORDING + DATA, 4, 300),
    ...numbers(RECORDING + DATA, 2, 300),
    { at: RECORDING + DATA + 16, size: 64, text: true },
  ];
}

export const ringPage: Target = {
  name: "page",
  open() {
    const fixtures = FIXTURES.map(loadFixture);
    const fields = fieldsOf();
    const arena = new PageArena(PAGE, 1);
    return {
      seeds: fixtures.flatMap(({ pages }, number) =>
        pages.flatMap((bytes) =>
          [0, 1, 2].map((i) => bytes.slice(i * PAGE, (i + 1) * PAGE))
            .filter((page) => page.length === PAGE)
            .map((page) => [new Uint8Array([number, ...page])])
        )
      ),
      mutate(input, random) {
        input[0] = mutateFields(input[0], fields, random);
      },
      run([bytes]) {
        const fixture = fixtures[(bytes[0] ?? 0) % fixtures.length];
        const page = new Uint8Array(PAGE);
        page.set(bytes.subarray(RECORDING, RECORDING + PAGE));
        arena.clear();
        const slot = arena.acquire();
        arena.bytes.set(page, slot);
        const columns = new EventColumns(fixture.meta.timeStart, 16);
        const decoder = new PageDecoder(fixture.layout, columns);
        const status = decoder.decodeSlot(arena, slot, 1);
        const text = new TraceText(fixture.meta, fixture.options);
        text.move(columns, arena);
        for (let row = 0; row < columns.length; row++) {
          const next = row + 1 < columns.length ? row + 1 : -1;
          text.row(row, next, next < 0 ? Infinity : columns.ts[next]);
          if (text.tookNext) row++;
        }
        if (status === PAGE_STATUS.ok) {
          columns.clear();
          decoder.decodeSlot(arena, slot, 1, page[20] * 4);
        }
      },
    };
  },
};
