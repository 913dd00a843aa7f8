import assert from "node:assert/strict";
import {
  FIXTURE_TEXT,
  fixtureSymbolTable,
} from "../symbols/symbols_fixture.ts";
import { x86_64 } from "../../arch/x86_64/mod.ts";
import { type TextFault, walkText } from "./text_walk.ts";

const SYMBOLS = fixtureSymbolTable([
  ["one", FIXTURE_TEXT + 0x10n],
  ["entry_untrain_ret", FIXTURE_TEXT + 0x20n],
  ["entry_rest", FIXTURE_TEXT + 0x22n],
  ["two", FIXTURE_TEXT + 0x30n],
]);
const LENGTH = 0x100;

/** Walks a text of no-ops with these bytes patched in. */
function walk(...patches: [at: number, ...bytes: number[]][]): string[] {
  const bytes = new Uint8Array(LENGTH).fill(0x90);
  for (const [at, ...put] of patches) bytes.set(put, at);
  const { faults, instructions } = walkText(
    x86_64.instructions,
    SYMBOLS,
    { start: FIXTURE_TEXT, end: FIXTURE_TEXT + BigInt(LENGTH), bytes },
    (gva) => gva === FIXTURE_TEXT + 0x1000n,
  );
  assert.ok(instructions > 100);
  return faults.map(({ kind, at }: TextFault) => `${at.toString(16)} ${kind}`);
}

/** `call` from `at` to `to`, as offsets. */
const call = (at: number, to: number) => {
  const bytes = new Uint8Array(5);
  bytes[0] = 0xe8;
  new DataView(bytes.buffer).setInt32(1, to - at - 5, true);
  return [at, ...bytes] as [number, ...number[]];
};

Deno.test("text as it was built has no faults", () => {
  assert.deepEqual(walk(), []);
  assert.deepEqual(
    walk(
      call(0, 0x30),
      call(0x11, 0x1a),
      call(0x38, 0x1000),
      // A short jmp across the end of the function.
      [0x18, 0xeb, 0x26],
      // test $0xc3, %bl: its immediate is the start of the next function.
      [0x20, 0xf6, 0xc3, 0xc3],
    ),
    [],
  );
});

Deno.test("each kind of fault is detected", () => {
  assert.deepEqual(walk([0x12, 0x06]), ["12 none"]);
  assert.deepEqual(walk([0x1e, 0xb8, 1, 2, 3, 4]), ["1e runs over"]);
  assert.deepEqual(walk(call(0x40, 0x12)), ["40 amid function"]);
  assert.deepEqual(walk(call(0, 0x2000)), ["0 nowhere"]);
  assert.deepEqual(
    walk([0x11, 0xeb, 0x02], [0x14, 0xb8, 1, 2, 3, 4]),
    ["11 amid instruction"],
  );
});
