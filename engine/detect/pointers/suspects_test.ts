/** Code that nothing may lead to, and the data of whoever has it. */
import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import type { GvaRange, MappedRange } from "../../memory/gva_ranges.ts";
import { HELPER } from "../core/check_fixture.ts";
import { CheckContext } from "../core/context.ts";
import { suspects } from "./suspects.ts";

const TEXT = 0xffffffffc0100000n;
const DATA = TEXT + 0x1000n;
const END = TEXT + 0x3000n;
const MODULE: ModuleView = {
  ...HELPER,
  text: [{ start: TEXT, end: DATA }],
  ranges: [{ start: TEXT, end: END }],
};

/** What is suspect where a page of text and two of data are mapped. */
function told(module: ModuleView, trusted = false) {
  const { kernel } = new FixtureGuest(fixtureTypes({}));
  const mapped = (start: bigint, end: bigint): MappedRange => ({
    start,
    end,
    writable: true,
  });
  const context: CheckContext = Object.create(CheckContext.prototype, {
    kernel: { value: kernel },
    trusts: { value: () => trusted },
    code: {
      value: {
        modules: [module],
        unlisted: [],
        reserves: [],
        at: () => ({ kind: "foreign" }),
        textOf: ({ text }: ModuleView) => text,
        memoryOf: ({ ranges }: ModuleView): readonly GvaRange[] => ranges,
        pages: {
          executable: [mapped(TEXT, DATA)],
          inRegion: [mapped(TEXT, END)],
        },
      },
    },
  });
  return suspects(context).map(({ start, end, text, of }) => ({
    start,
    end,
    text,
    of,
  }));
}

Deno.test("where all code is vouched for, no data is looked at", () => {
  assert.deepEqual(told(MODULE, true), []);
  assert.deepEqual(told({ ...MODULE, ranges: MODULE.text }, true), []);
});

Deno.test("a module that says that it has less does not take its data away", () => {
  const all = told(MODULE);
  assert.deepEqual(all.map(({ of }) => of), ["unvouched", "unvouched"]);
  assert.equal(all[1].end, END);
  const shown = [
    { ...MODULE, ranges: [{ start: TEXT, end: DATA }] },
    { ...MODULE, ranges: [{ start: TEXT, end: DATA + 0x1000n }] },
    { ...MODULE, ranges: [], text: [] },
  ];
  for (const module of shown) {
    const found = told(module);
    assert.deepEqual(
      found.filter(({ text }) => text).map(({ start, end }) => ({
        start,
        end,
      })),
      [{ start: TEXT, end: DATA }],
    );
    // Whoever has the rest, it is looked at.
    const data = found.filter(({ text }) => !text);
    assert.equal(data[0].start, DATA);
    assert.equal(data.at(-1)?.end, END);
    assert.equal(data.at(-1)?.of, "nobody");
  }
});
