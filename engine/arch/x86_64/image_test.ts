import assert from "node:assert/strict";
import { image } from "./image.ts";

/** A symbol table with these addresses only. */
function symbols(known: Readonly<Record<string, bigint>>) {
  return {
    tryAddress: (name: string): bigint | undefined => known[name],
    address: (name: string): bigint => known[name],
  };
}

Deno.test("the bytes that functions begin with", () => {
  const starts = (...bytes: number[]) =>
    image.startsFunction(Uint8Array.from(bytes));
  assert.ok(starts(0xf3, 0x0f, 0x1e, 0xfa, 0x55));
  assert.ok(starts(0x0f, 0x1f, 0x44, 0x00, 0x00));
  assert.ok(starts(0x66, 0x66, 0x66, 0x66, 0x90), "before 5.13");
  assert.ok(!starts(0x66, 0x66, 0x90, 0x55, 0x48));
  assert.ok(starts(0xe8, 1, 2, 3, 4));
  assert.ok(!starts(0x55, 0x48, 0x89, 0xe5));
});

Deno.test("the direct map and its struct pages are where the kernel's variables say", () => {
  const words = new Map([[1n, 0xff110000_00000000n], [
    2n,
    0xffd40000_00000000n,
  ]]);
  const u64 = (gva: bigint) => words.get(gva) ?? 0n;
  const both = symbols({ page_offset_base: 1n, vmemmap_base: 2n });
  assert.equal(image.directMap(both, u64), 0xff110000_00000000n);
  assert.equal(image.pageStructs(both, u64), 0xffd40000_00000000n);
  assert.equal(image.directMap(symbols({}), u64), undefined);
});

Deno.test("the code that starts secondary processors lies where real_mode_header points", () => {
  const known = {
    real_mode_header: 8n,
    real_mode_blob: 0x1000n,
    real_mode_blob_end: 0x6f00n,
  };
  const u64 = () => 0xff110000_00099000n;
  assert.deepEqual(image.bootCode(symbols(known), u64), {
    start: 0xff110000_00099000n,
    end: 0xff110000_0009ef00n,
  });
  const { real_mode_blob_end: _, ...without } = known;
  assert.equal(image.bootCode(symbols(without), u64), undefined);
});
