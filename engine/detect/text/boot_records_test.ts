import assert from "node:assert/strict";
import { TemporaryFolder } from "../../base/temporary_folder_fixture.ts";
import { x86_64 } from "../../arch/x86_64/mod.ts";
import { fixtureTypes } from "../../kernel/core/kernel_fixture.ts";
import { CodeReading } from "../reading/code_reading.ts";
import { bootRecords } from "./boot_records.ts";
import { textRecords } from "./text_record.ts";

const START = 0xffffffff81000000n;

/** The reading of a guest that says these things of itself. */
function reading(
  text: Uint8Array<ArrayBuffer>,
  { start = START, buildId = "11", release = "6.1.0" } = {},
): CodeReading {
  const end = start + BigInt(text.length);
  return Object.create(CodeReading.prototype, {
    kernel: {
      value: {
        arch: x86_64,
        types: fixtureTypes({}),
        facts: { release, buildId },
        memory: { live: false },
      },
    },
    text: { value: { start, end, bytes: text } },
    kprobes: { value: [] },
  });
}

const TEXT = Uint8Array.from({ length: 8192 }, (_, i) => i * 7 + (i >> 8));
/** Another kernel's. */
const OTHER = TEXT.map((byte, i) => i % 5 === 0 ? byte : byte ^ 0x55);

Deno.test("a boot is recognized by its text, whatever the guest says of itself", () => {
  using folder = new TemporaryFolder();
  const records = textRecords(folder.path, "vm-1-2");
  const first = bootRecords(reading(TEXT), records);
  assert.equal(first.isNew, true);
  assert.equal(first.earlier, undefined);

  // Ftrace is on, and 3 % of the bytes differ.
  const traced = TEXT.map((byte, i) => i % 33 === 0 ? 0xcc : byte);
  const claims = [
    [{}, "6.1.0 (BUILD-ID 11)"],
    [{ buildId: "22" }, "6.1.0 (BUILD-ID 22)"],
    [{ release: "5.10.0" }, "5.10.0 (BUILD-ID 11)"],
  ] as const;
  for (const [said, kernel] of claims) {
    const again = bootRecords(reading(traced, said), records);
    assert.equal(again.isNew, false);
    assert.deepEqual(again.text.bytes, TEXT);
    assert.equal(again.text.kernel, "6.1.0 (BUILD-ID 11)");
    assert.equal(again.kernel, kernel);
  }
  // What is recorded is of that boot, and another VM has its own.
  first.save("symbols", 0n, Uint8Array.of(1));
  const again = bootRecords(reading(TEXT, { buildId: "33" }), records);
  assert.deepEqual(again.load("symbols")?.bytes, Uint8Array.of(1));
  using other = new TemporaryFolder();
  const elsewhere = textRecords(other.path, "vm-1-3");
  assert.equal(bootRecords(reading(TEXT), elsewhere).isNew, true);
});

Deno.test("another text, or another place, is another boot, and is told as one", () => {
  using folder = new TemporaryFolder();
  const records = textRecords(folder.path, "vm-1-2");
  bootRecords(reading(TEXT), records);
  const moved = bootRecords(
    reading(TEXT, { start: START + 0x200000n }),
    records,
  );
  assert.equal(moved.isNew, true);
  assert.equal(moved.earlier?.start, START);
  const other = bootRecords(reading(OTHER, { buildId: "22" }), records);
  assert.equal(other.isNew, true);
  assert.ok(other.earlier !== undefined);
  // The first one's record is still there.
  assert.equal(bootRecords(reading(TEXT), records).isNew, false);
  assert.equal(records.boots().length, 3);
});
