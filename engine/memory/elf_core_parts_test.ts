import assert from "node:assert/strict";
import fc from "fast-check";
import { XftraceError } from "../base/errors.ts";
import type { LoadSegment } from "./elf_core_format.ts";
import { coreParts } from "./elf_core_parts.ts";

function load(
  paddr: number,
  offset: number,
  fileSize: number,
  memSize = fileSize,
): LoadSegment {
  return { paddr, vaddr: 0n, offset, fileSize, memSize };
}

Deno.test("each byte is that of the first segment that has it, else a zero", () => {
  const segment = fc.record({
    paddr: fc.nat(40),
    offset: fc.nat(1000),
    fileSize: fc.nat(12),
    zeros: fc.nat(6),
  });
  fc.assert(fc.property(fc.array(segment, { maxLength: 12 }), (segments) => {
    const loads = segments.map(({ paddr, offset, fileSize, zeros }) =>
      load(paddr, offset, fileSize, fileSize + zeros)
    );
    const expected = new Map<number, number>();
    for (const { paddr, offset, fileSize } of loads) {
      for (let i = 0; i < fileSize; i++) {
        if (!expected.has(paddr + i)) expected.set(paddr + i, offset + i);
      }
    }
    for (const { paddr, fileSize, memSize } of loads) {
      for (let i = fileSize; i < memSize; i++) {
        if (!expected.has(paddr + i)) expected.set(paddr + i, -1);
      }
    }
    const found = new Map<number, number>();
    let before = -1;
    for (const { start, end, offset } of coreParts("x", loads, 1e6)) {
      assert.ok(start >= before && end > start);
      before = end;
      for (let gpa = start; gpa < end; gpa++) {
        found.set(gpa, offset < 0 ? -1 : offset + gpa - start);
      }
    }
    assert.deepEqual([...found].sort(byKey), [...expected].sort(byKey));
  }));
});

function byKey([a]: readonly [number, number], [b]: readonly [number, number]) {
  return a - b;
}

Deno.test("200,000 segments over one another are no work", () => {
  const n = 200_000;
  const shapes: ((i: number) => LoadSegment)[] = [
    // Each covers all before it; descending; stairs; a comb below a plank.
    (i) => load(n - i, i, 2 * i + 1),
    (i) => load((n - i) * 4096, 0, 1),
    (i) => load(i, i, n),
    (i) => i === n - 1 ? load(0, 0, 4 * n) : load(4 * i, i, 2),
  ];
  for (const shape of shapes) {
    const loads = Array.from({ length: n }, (_, i) => shape(i));
    const from = performance.now();
    assert.ok(coreParts("x", loads, 1e12).length <= 2 * n);
    assert.ok(performance.now() - from < 5000);
  }
});

Deno.test("segments that claim more memory than there can be are refused", () => {
  const same = Array.from({ length: 1000 }, (_, i) => load(i * 4096, 0, 4096));
  const claims = [same, [load(2 ** 52, 0, 1)], [load(0, 0, 1, 2 ** 53)]];
  for (const loads of claims) {
    assert.throws(
      () => coreParts("x.core", loads, 8192),
      (error) =>
        error instanceof XftraceError &&
        /^x\.core is damaged/.test(error.message),
    );
  }
});
