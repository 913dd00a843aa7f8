import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { makeKdump, PAGE } from "./kdump_fixture.ts";
import { KdumpMemory } from "./kdump_memory.ts";
import { bytesSource } from "../elf_core_source.ts";
import { unpackLzo } from "./lzo.ts";
import { unpackSnappy } from "./snappy.ts";

const bytes = (base64: string) => Uint8Array.fromBase64(base64);
const hex = (text: string) => Uint8Array.fromHex(text);

/** A page of runs, repetitions near and far, and single bytes. */
const MIXED_SHA256 =
  "eb92b8acad2a08d5c071b1428c37255da0dd730f7660052673059aef5a76a8bd";

/** That page, and pages of zeros, as liblzo2 2.10 and libsnappy 1.1.9 pack them. */
const PACKED_PAGES = {
  lzo: bytes(
    "BH7Uz7Ac1uQgAABTAQC2IAB0AAAgUxsQ1bvaIEvYASAhuwH0nv4g7ewKNfgGIGSlBUUs" +
      "AAAB62793SAAUAAAAaE69JogAFMAAATNtdl4HM+EIAAXAAANn+bzl/XyQSXo9Jnefsvv" +
      "BTMBAEIgCQEADuAANbAUOFgAIBy5GZIglAEASCCNAwCu2NUgF5QNIE0sGiCXJRbeIAAs" +
      "AAAL3t7e3t7e3t7e3t7e3t4RAAA=",
  ),
  snappy: bytes(
    "gCAYftTPsBzW5P4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAMYBAAC2/gEA/gEA/gEA" +
      "/gEA/gEA/gEATgEA/gcEzgcECNW72v53AK53AO5vAAlvCPSe/v68Av68Av68Av68Aja8" +
      "Alq/Af5qAf5qASVqAEU2AQAM62793f4BAP4BAP4BAP4BAP4BAL4BAAyhOvSa/gEA/gEA" +
      "/gEA/gEA/gEAygEAGM212Xgcz4T+AQD+AQD+AQD+AQDaAQA8n+bzl/XyQSXo9Jnefsvv" +
      "BVIBAABCpgEAAA4RAVotBWYBAPJvBgCS/gEA/gEA0gEAAEj+AQD+AQC2AQAIrtjV3mYD" +
      "/owGtowG/ooF/ooF3ooFAN7+AQD+AQD+AQD+AQD+AQBmAQA=",
  ),
} as const;

const UNPACK = { lzo: unpackLzo, snappy: unpackSnappy } as const;
const KINDS = ["lzo", "snappy"] as const;

for (const kind of KINDS) {
  const unpack = UNPACK[kind];
  const packed = PACKED_PAGES[kind];

  Deno.test(`${kind}: what the library has packed is unpacked`, () => {
    const page = unpack(packed, PAGE, PAGE);
    assert.equal(
      createHash("sha256").update(page!).digest("hex"),
      MIXED_SHA256,
    );
  });

  Deno.test(`${kind}: a page of a dump`, () => {
    const page = unpack(packed, PAGE, PAGE)!;
    const { bytes } = makeKdump({
      frames: 8,
      pages: new Map([[3, page]]),
      packing: kind,
      pack: () => packed,
    });
    using memory = new KdumpMemory("x", bytesSource(bytes));
    const into = new Uint8Array(PAGE);
    memory.read(3 * PAGE, into);
    assert.deepEqual(into, page);
  });

  Deno.test(`${kind}: a stream that is cut short gives nothing`, () => {
    for (let length = 0; length < packed.length; length++) {
      assert.equal(unpack(packed.subarray(0, length), PAGE, PAGE), undefined);
    }
  });

  Deno.test(`${kind}: more or less than a page gives nothing`, () => {
    for (const size of [0, 1, PAGE - 1, PAGE + 1, 2 * PAGE]) {
      assert.equal(unpack(packed, size, 2 * PAGE), undefined);
    }
  });

  Deno.test(`${kind}: any bytes end, with a page or nothing`, () => {
    const judge = (input: Uint8Array) => {
      const page = unpack(input, PAGE, PAGE);
      assert.ok(page === undefined || page.length === PAGE);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), judge));
    fc.assert(fc.property(
      fc.array(fc.tuple(fc.nat(packed.length - 1), fc.nat(255)), {
        minLength: 1,
        maxLength: 4,
      }),
      (changes) => {
        const changed = packed.slice();
        for (const [at, value] of changes) changed[at] = value;
        judge(changed);
      },
    ));
  });
}

Deno.test("lzo: each form of instruction", () => {
  // Four literals, then a copy of 3 bytes by 1 (0 1 L D D D S S), end.
  const one = (text: string, size: number) => {
    const page = unpackLzo(hex(text), size, PAGE);
    return page && String.fromCharCode(...page);
  };
  const END = "110000";
  assert.equal(one(`15616263644000${END}`, 7), "abcdddd");
  // Behind four literals, a code below 16 copies 3 bytes from beyond 2 KiB.
  assert.equal(one(`15616263640000${END}`, 7), undefined);
  // Behind one to three literals, it copies 2 bytes from near by.
  assert.equal(one(`146162630000${END}`, 5), "abccc");
  assert.equal(one(`14616263010078${END}`, 6), "abcccx");
  // Long literals: 3 + 15 + 1.
  assert.equal(
    one(`000161626364656667686970717273747576777879${END}`, 19)?.length,
    19,
  );
  // A copy of 5 to 8 bytes.
  assert.equal(one(`15616263648c00${END}`, 9), "abcdabcda");
  // A distance before the page, bytes behind the end, and no end.
  assert.equal(one(`15616263646000${END}`, 8), "abcddddd");
  assert.equal(one(`15616263645c00${END}`, 7), undefined);
  assert.equal(one(`1561626364${END}00`, 4), undefined);
  assert.equal(one("1561626364", 4), undefined);
  assert.equal(one(END, 0), "");
});

Deno.test("snappy: each form of element, and lengths that lie", () => {
  const one = (text: string, size: number) => {
    const page = unpackSnappy(hex(text), size, PAGE);
    return page && String.fromCharCode(...page);
  };
  assert.equal(
    one("070c616263640a0100", 7),
    "abcdddd",
  );
  assert.equal(one("080c616263640104", 8), "abcdabcd");
  assert.equal(one("080c616263640f04000000", 8), "abcdabcd");
  assert.equal(one("04f00361626364", 4), "abcd");
  // 1 + 0xffffffff bytes, which as a signed number are none, and go nowhere.
  assert.equal(one("04fcffffffff", 4), undefined);
  assert.equal(one("04fcfaffffff61626364", 4), undefined);
  // Before the page, by nothing, and far away.
  assert.equal(one("080c616263640105", 8), undefined);
  assert.equal(one("080c616263640100", 8), undefined);
  assert.equal(one("080c616263640fffffffff", 8), undefined);
  // Another size, and none.
  assert.equal(one("050c61626364", 4), undefined);
  assert.equal(one("ffffffffff0c61626364", 4), undefined);
  assert.equal(one("", 4), undefined);
});
