import assert from "node:assert/strict";
import { x86_64 } from "../../arch/x86_64/mod.ts";
import { KernelError } from "../../base/errors.ts";
import { fixtureTypes } from "../../kernel/core/kernel_fixture.ts";
import { CodeReading } from "../reading/code_reading.ts";
import { recordable } from "./recordable.ts";

const START = 0xffffffff81000000n;
/** Offset of a call site of Ftrace's. */
const SITE = 0x100;

/** A reading of a guest whose text is by now this. */
function reading(now: Uint8Array, live = true): CodeReading {
  const ip = Uint32Array.of(0x81000000 + SITE, 0xffffffff);
  return Object.create(CodeReading.prototype, {
    kernel: {
      value: {
        arch: x86_64,
        types: fixtureTypes({}),
        memory: { live },
        space: { bytes: () => now },
        symbols: {
          tryAddress: () => undefined,
          addresses: () => [],
          glob: () => [],
        },
      },
    },
    kprobes: { value: [] },
    sites: { value: { count: 1, ip } },
  });
}

const TEXT = Uint8Array.from({ length: 8192 }, (_, i) => i * 7 + (i >> 8));
const changed = (at: number) => TEXT.map((b, i) => i === at ? 0xcc : b);

Deno.test("text that holds still may be recorded", () => {
  assert.deepEqual(recordable(reading(TEXT), TEXT, START), TEXT);
});

Deno.test("a breakpoint that is gone when it is looked at again is not recorded", () => {
  assert.throws(
    () => recordable(reading(TEXT), changed(0x200), START),
    (error) =>
      error instanceof KernelError &&
      /0xffffffff81000200 was changed while/.test(error.message),
  );
  assert.throws(() => recordable(reading(changed(0x200)), TEXT, START));
});

Deno.test("where Ftrace patches, text may change at any time", () => {
  const traced = changed(SITE);
  assert.deepEqual(recordable(reading(TEXT), traced, START), traced);
});

Deno.test("what does not run does not change", () => {
  const probed = changed(0x200);
  assert.deepEqual(recordable(reading(TEXT, false), probed, START), probed);
});
