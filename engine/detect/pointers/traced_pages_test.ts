/** Pages of traces and of call sites are believed as far as they hold these. */
import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { entriesIn, TracedPages } from "./traced_pages.ts";

/** Offsets of a sub-buffer's commit and data. */
const COMMIT = 8;
const DATA = 16;
const CODE = 0xffffffffc0200010n;

/** A page of a ring with entries of 24 bytes, each with an address at 8. */
function ringPage(count: number, commit = 28 * count) {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  view.setUint32(COMMIT, commit, true);
  const places = Array.from({ length: count }, (_, i) => DATA + 28 * i);
  for (const at of places) {
    view.setUint32(at, 6 | 100 << 5, true);
    view.setUint16(at + 4, 1, true);
    view.setUint32(at + 8, 17, true);
    view.setBigUint64(at + 12, CODE, true);
  }
  return { bytes, view, places };
}

const has = (bytes: Uint8Array, at: number) => {
  const words = entriesIn(bytes, COMMIT, DATA);
  return words[at >>> 2] === 1 && words[(at >>> 2) + 1] === 1;
};

Deno.test("what was traced is told from the headers between", () => {
  const { bytes, places } = ringPage(9);
  for (const at of places) {
    assert.equal(has(bytes, at + 12), true);
    // The header, and who it was.
    assert.equal(has(bytes, at), false);
    assert.equal(has(bytes, at + 4), false);
  }
});

Deno.test("a single entry is told by the commit alone", () => {
  const { bytes, view, places: [at] } = ringPage(1);
  assert.equal(has(bytes, at + 12), true);
  for (const commit of [24, 32, 0xffc]) {
    view.setUint32(COMMIT, commit, true);
    assert.equal(has(bytes, at + 12), false, `commit ${commit}`);
  }
});

Deno.test("entries that were left behind are in a row", () => {
  for (const commit of [0, 56]) {
    const { bytes, places } = ringPage(9, commit);
    assert.ok(places.every((at) => has(bytes, at + 12)), `commit ${commit}`);
  }
  const { bytes, places } = ringPage(3, 0);
  assert.ok(places.every((at) => !has(bytes, at + 12)));
});

Deno.test("what tells the time between entries does not part them", () => {
  const { bytes, view } = ringPage(0, 0);
  const places = [0, 1, 2, 3].map((i) => DATA + 36 * i);
  for (const at of places) {
    view.setUint32(at, 30 | 100 << 5, true);
    view.setUint32(at + 8, 6 | 100 << 5, true);
    view.setUint16(at + 12, 1, true);
    view.setBigUint64(at + 20, CODE, true);
  }
  assert.ok(places.every((at) => has(bytes, at + 20)));
  view.setUint16(places[2] + 12, 0, true);
  assert.ok(places.every((at) => !has(bytes, at + 20)));
});

Deno.test("a single entry before the page's end is none that was left behind", () => {
  const { bytes, view } = ringPage(0, 0);
  const at = 4096 - 28;
  view.setUint32(at, 6 | 100 << 5, true);
  view.setUint16(at + 4, 1, true);
  view.setBigUint64(at + 12, CODE, true);
  assert.equal(has(bytes, at + 12), false);
});

Deno.test("an object with a function is no trace, whatever its words", () => {
  const object = (words: readonly bigint[], from = DATA) => {
    const bytes = new Uint8Array(4096);
    const view = new DataView(bytes.buffer);
    words.forEach((word, i) => view.setBigUint64(from + 8 * i, word, true));
    return words.some((word, i) => word === CODE && has(bytes, from + 8 * i));
  };
  // A notifier, a table of functions, a packet tap, a work item.
  assert.equal(object([CODE, 0n, 0n]), false);
  assert.equal(object(Array(16).fill(CODE)), false);
  assert.equal(object([3n << 32n, CODE, 1n]), false);
  assert.equal(object([0x1e0n, CODE - 8n, CODE, 7n, 1n], 2048), false);
  assert.equal(object([24n, 0x1_0000_0006n, 17n, CODE, 0n], 8), false);
});

Deno.test("no page of a trace makes reading it endless", () => {
  for (const word of [0, 0xffff_ffff, 29, 29 | 1 << 5, 30, 31, 1 << 5]) {
    const bytes = new Uint8Array(4096);
    new Uint32Array(bytes.buffer).fill(word);
    assert.equal(entriesIn(bytes, COMMIT, DATA).length, 1024);
  }
});

const TYPES = fixtureTypes({
  dyn_ftrace: { size: 16, members: { ip: [0, "u64"], flags: [8, "u64"] } },
  ftrace_page: {
    size: 32,
    members: {
      next: [0, "u64"],
      records: [8, "u64"],
      index: [16, "u32"],
      order: [20, "u32"],
    },
  },
});

/** A guest with a page of three records, and what freed code has left there. */
function siteGuest() {
  const guest = new FixtureGuest(TYPES);
  const head = guest.image();
  guest.symbol("ftrace_pages_start", head);
  const records = guest.allocate(8192, 4096);
  const page = guest.create("ftrace_page");
  guest.setU64(head, page);
  guest.setU64(guest.at("ftrace_page", page, "records"), records);
  guest.setU32(guest.at("ftrace_page", page, "index"), 3);
  const record = (i: number) => records + BigInt(16 * i);
  for (const i of [0, 1, 2, 3]) {
    guest.setU64(record(i), CODE + BigInt(16 * i));
  }
  const is = (gva: bigint) => new TracedPages(guest.kernel).has(gva);
  return { guest, page, record, is };
}

Deno.test("records of call sites are told from other words of their page", () => {
  const { guest, record, is } = siteGuest();
  assert.deepEqual([0, 1, 2, 3].map(record).map(is), [true, true, true, true]);
  guest.setU64(record(1) + 8n, CODE);
  assert.equal(is(record(1) + 8n), false);
  // Behind those that were left there.
  guest.setU64(record(5), CODE);
  assert.equal(is(record(5)), false);
  assert.equal(is(record(256)), false);
});

Deno.test("a page that is only said to hold records holds none", () => {
  const { guest, page, is } = siteGuest();
  const other = guest.allocate(4096, 4096);
  guest.setU64(guest.at("ftrace_page", page, "records"), other);
  guest.setU64(other, CODE);
  guest.setU64(other + 32n, CODE + 32n);
  assert.equal(is(other), false);
  assert.equal(is(other + 32n), false);
  // A table of functions that is not in the order of addresses.
  guest.setU64(other + 16n, CODE + 48n);
  assert.equal(is(other), false);
});
