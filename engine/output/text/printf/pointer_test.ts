import assert from "node:assert/strict";
import type { TextEnvironment } from "../environment.ts";
import { addressFormatter, bytesFormatter } from "./pointer.ts";
import { parseFormat } from "./printf_spec.ts";

function bytes(format: string, data: number[], width?: number): string {
  const spec = parseFormat(format)[0].spec!;
  const write = bytesFormatter(spec);
  assert.ok(write !== undefined, format);
  return write((i) => data[i] ?? 0, width ?? spec.width);
}

const upTo16 = Array.from({ length: 16 }, (_, i) => i);

Deno.test("bytes are printed as by the kernel's extensions", () => {
  assert.equal(bytes("%pM", upTo16), "00:01:02:03:04:05");
  assert.equal(bytes("%pMF", upTo16), "00-01-02-03-04-05");
  assert.equal(bytes("%pMR", upTo16), "05:04:03:02:01:00");
  assert.equal(bytes("%pm", upTo16), "000102030405");
  assert.equal(bytes("%pI4", [127, 0, 0, 1]), "127.0.0.1");
  assert.equal(bytes("%pi4", [127, 0, 0, 1]), "127.000.000.001");
  assert.equal(bytes("%pI4h", [1, 0, 0, 127]), "127.0.0.1");
  assert.equal(
    bytes("%pI6", upTo16),
    "0001:0203:0405:0607:0809:0a0b:0c0d:0e0f",
  );
  assert.equal(bytes("%pi6", upTo16), "000102030405060708090a0b0c0d0e0f");
  assert.equal(
    bytes("%pUb", upTo16),
    "00010203-0405-0607-0809-0a0b0c0d0e0f",
  );
  assert.equal(
    bytes("%pUL", upTo16),
    "03020100-0504-0706-0809-0A0B0C0D0E0F",
  );
  assert.equal(bytes("%*ph", upTo16, 3), "00 01 02");
  assert.equal(bytes("%*phN", upTo16, 3), "000102");
  assert.equal(bytes("%*phC", upTo16, 3), "00:01:02");
  assert.equal(bytes("%pa", [0x34, 0x12]), "0x0000000000001234");
});

Deno.test("compressed IPv6 addresses", () => {
  const v6 = (...words: number[]) => words.flatMap((w) => [w >> 8, w & 255]);
  const cases: [number[], string][] = [
    [v6(0, 0, 0, 0, 0, 0, 0, 1), "::1"],
    [v6(0, 0, 0, 0, 0, 0, 0, 0), "::"],
    [v6(0xfe80, 0, 0, 0, 1, 2, 3, 4), "fe80::1:2:3:4"],
    [v6(0x2001, 0xdb8, 0, 1, 0, 0, 0, 1), "2001:db8:0:1::1"],
    [v6(0, 0, 0, 0, 0, 0xffff, 0x7f00, 1), "::ffff:127.0.0.1"],
    [v6(1, 0, 2, 3, 4, 5, 6, 7), "1:0:2:3:4:5:6:7"],
  ];
  for (const [data, text] of cases) assert.equal(bytes("%pI6c", data), text);
});

Deno.test("socket addresses", () => {
  const v4 = [2, 0, 0x1f, 0x90, 10, 0, 0, 1];
  assert.equal(bytes("%pIS", v4), "10.0.0.1");
  assert.equal(bytes("%pISpc", v4), "10.0.0.1:8080");
  const v6 = [10, 0, 0, 80, 0, 0, 0, 0, ...Array(15).fill(0), 1, 5, 0, 0, 0];
  assert.equal(bytes("%pISpc", v6), "[::1]:80");
  assert.equal(bytes("%pISpscf", v6), "[::1]:80/0%5");
  assert.equal(bytes("%pISpc", [1, 0]), "(einval)");
});

Deno.test("bitmaps as hexadecimal and as ranges", () => {
  assert.equal(bytes("%*pb", [0x0f], 4), "f");
  assert.equal(bytes("%*pb", [1, 0, 0, 0, 2], 64), "00000002,00000001");
  assert.equal(bytes("%*pb", [0xff, 1], 9), "1ff");
  assert.equal(bytes("%*pbl", [0b10110111], 8), "0-2,4-5,7");
  assert.equal(bytes("%*pbl", [0], 8), "");
});

const env: TextEnvironment = {
  symbols: {
    bare: () => "bare",
    ps: () => "ps",
    pS: () => "pS+0x1/0x2",
    pB: () => "pB",
  },
  string: () => undefined,
  pointerKey: [0x0706050403020100n, 0x0f0e0d0c0b0a0908n],
};

function address(
  format: string,
  value: bigint,
  environment: TextEnvironment = env,
): string {
  const spec = parseFormat(format)[0].spec!;
  return addressFormatter(spec)!(value, environment, spec.width);
}

Deno.test("plain pointers are hashed, except NULL and error pointers", () => {
  assert.equal(address("%p", 0x0706050403020100n), "000000009a932462");
  assert.equal(address("%p", 0n), "0000000000000000");
  assert.equal(address("%p", 0xfffffffffffffffen), "fffffffffffffffe");
  assert.equal(address("%px", 0x1234n), "0000000000001234");
  const shown = { ...env, hashPointers: false };
  assert.equal(address("%p", 0x1234n, shown), "0000000000001234");
  assert.equal(
    address("%pK", 0x0706050403020100n, shown),
    "000000009a932462",
  );
  const noKey = { ...env, pointerKey: undefined };
  assert.equal(address("%p", 1n, noKey), "(____ptrval____)");
});

Deno.test("symbols are padded", () => {
  assert.equal(address("%pS", 1n), "pS+0x1/0x2");
  assert.equal(address("%ps", 1n), "ps");
  assert.equal(address("%-6pf", 1n), "ps    ");
  assert.equal(address("%pB", 1n), "pB");
});
