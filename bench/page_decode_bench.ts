/**
 * How fast pages are decoded to columns, and columns written as text, compared
 * with a plain sum of the same bytes. Run with `deno bench --allow-read bench/page_decode_bench.ts`.
 */

import { EventColumns, PageArena } from "../engine/ftrace/ring/columns.ts";
import {
  firstStamp,
  loadFixture,
} from "../engine/ftrace/ring/fixtures/load_fixture.ts";
import { PageDecoder } from "../engine/ftrace/ring/page.ts";
import { TEXT } from "../engine/output/formats/text.ts";
import { writeBuffers } from "../engine/output/write_buffers.ts";

const PAGE_SIZE = 4096;
/** How many pages one iteration decodes: 4 MiB. */
const PAGES = 1024;

const fixture = loadFixture("6.1-graph");
const arena = new PageArena(PAGE_SIZE, PAGES);
const [bytes] = fixture.pages;
const slots = Array.from({ length: PAGES }, (_, i) => {
  const slot = arena.acquire();
  const from = i * PAGE_SIZE % bytes.length;
  arena.bytes.set(bytes.subarray(from, from + PAGE_SIZE), slot);
  return slot;
});
const columns = new EventColumns(firstStamp(fixture), 1 << 18);
const decoder = new PageDecoder(fixture.layout, columns);

function decodeAll(): number {
  columns.clear();
  for (const slot of slots) decoder.decodeSlot(arena, slot, 0);
  return columns.length;
}

const events = decodeAll();

Deno.bench({
  name: "sum of all words (4 MiB)",
  group: "decode",
  baseline: true,
  fn() {
    const words = arena.words;
    let sum = 0;
    for (let i = 0; i < words.length; i++) sum = sum + words[i] | 0;
    if (sum === 0.5) throw new Error("the sum is needed");
  },
});

Deno.bench({
  name: `pages to columns (4 MiB, ${events} events)`,
  group: "decode",
  fn() {
    decodeAll();
  },
});

Deno.bench({
  name: `columns to text (${events} events)`,
  group: "text",
  fn() {
    let length = 0;
    const writer = TEXT.writer((chunk) => {
      length += chunk.length;
    });
    writeBuffers({ columns, arena, cpus: [] }, fixture, writer);
    if (length === 0) throw new Error("the text is needed");
  },
});
