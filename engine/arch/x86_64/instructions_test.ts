import assert from "node:assert/strict";
import { instructions } from "./instructions.ts";
import { patching } from "./patching.ts";

const bytesOf = (text: string) =>
  Uint8Array.from(text.split(" "), (byte) => parseInt(byte, 16));
const AT = 0xffffffff81000000n;

const MODULE = 0xffffffffc0123000n;

Deno.test("direct branches and their targets", () => {
  for (
    const [text, kind, target] of [
      ["e8 fb ff ff ff 00", "call", AT],
      ["e9 00 10 00 00 00", "jump", AT + 0x1005n],
      ["eb fe 00 00 00 00", "jump", AT],
      ["0f 84 fa ff ff ff", "jump", AT],
      ["e9 fb ff ff 7e 00", "jump", 0n],
    ] as const
  ) {
    const bytes = bytesOf(text);
    const found = instructions.branchAt(bytes, AT);
    assert.equal(found?.kind, kind, text);
    assert.equal(found?.target, target, text);
    const decoder = instructions.decoder();
    decoder.decode(bytes, 0);
    assert.equal(decoder.branch, kind, text);
    assert.equal(BigInt.asUintN(64, AT + BigInt(decoder.target)), target, text);
  }
  assert.equal(
    instructions.branchAt(bytesOf("ff 25 00 00 00 00"), AT),
    undefined,
  );
});

Deno.test("no-ops that replace branches", () => {
  const length = (text: string) => instructions.nopAt(bytesOf(text));
  assert.equal(length("0f 1f 44 00 00"), 5);
  assert.equal(length("66 90 55 48 89"), 2);
  assert.equal(length("0f 1f 44 00 01"), 0);
  assert.equal(length("90 90 90 90 90"), 0);
});

Deno.test("pages of thunks, and empty pages", () => {
  const page = (...parts: number[][]) => {
    const bytes = new Uint8Array(64).fill(0xcc);
    parts.forEach((part, i) => bytes.set(part, 16 * i));
    return bytes;
  };
  assert.ok(instructions.isThunkPage(page([0xff, 0xe0], [0x41, 0xff, 0xe3])));
  assert.ok(!instructions.isThunkPage(page()));
  assert.ok(!instructions.isThunkPage(page([0xff, 0xe0], [0x55])));
});

Deno.test("branches and addresses that lead out of a text count only where an instruction lies", () => {
  const executable = [
    { start: MODULE, end: MODULE + 0x1000n, writable: false },
  ];
  const bytes = new Uint8Array(128).fill(0x90);
  const view = new DataView(bytes.buffer);
  const branch = (at: number, opcode: number) => {
    bytes[at] = opcode;
    view.setInt32(at + 1, Number(MODULE - AT) - at - 5, true);
  };
  branch(0, 0xe8);
  branch(0x10, 0xe9);
  // mov $imm32, %rax sign-extends its immediate; mov $imm32, %eax does not.
  bytes.set([0x48, 0xc7, 0xc0], 0x20);
  view.setUint32(0x23, Number(MODULE & 0xffffffffn), true);
  bytes.set([0xb8], 0x30);
  view.setUint32(0x31, Number(MODULE & 0xffffffffn), true);
  // The same bytes inside another instruction: movabs.
  bytes.set([0x48, 0xb9, 0, 0], 0x40);
  branch(0x44, 0xe8);
  const found = instructions.waysOut({
    start: AT,
    bytes,
    functionStart: () => 0,
  }, executable);
  assert.deepEqual(
    found.map(({ from, how, target }) => [Number(from - AT), how, target]),
    [
      [0, "calls", MODULE],
      [0x10, "jumps to", MODULE],
      [0x20, "holds the address of", MODULE],
      // It runs if something jumps there.
      [0x45, "may lead to", MODULE],
    ],
  );
});

Deno.test("a branch behind bytes that are no instruction is not passed over", () => {
  const bytes = new Uint8Array(64).fill(0x90);
  const view = new DataView(bytes.buffer);
  // jmp over an undecodable byte; call. And one more call.
  bytes.set([0xeb, 1, 0x06, 0xe8]);
  view.setInt32(4, Number(MODULE - AT) - 8, true);
  bytes[0x20] = 0xe8;
  view.setInt32(0x21, Number(MODULE - AT) - 0x25, true);
  const ways = (start: number) =>
    instructions.waysOut(
      { start: AT, bytes, functionStart: () => start },
      [{ start: MODULE, end: MODULE + 0x1000n, writable: false }],
    ).map(({ from, how }) => [Number(from - AT), how]);
  assert.deepEqual(ways(0), [[4, "may lead to"], [0x21, "may lead to"]]);
  // By a symbol that begins amid the call.
  assert.deepEqual(ways(4)[0], [4, "may lead to"]);
});

Deno.test("the bytes at a patch site are judged where there is a short list of them", () => {
  const plausible = (mechanism: string, text: string) =>
    patching.isPlausible(mechanism, bytesOf(text));
  assert.ok(plausible("return thunks", "c3 cc cc cc cc"));
  assert.ok(!plausible("return thunks", "c3 90 90 90 90"));
  assert.ok(plausible("sealed ENDBR", "66 0f 1f 00"));
  assert.ok(plausible("sealed ENDBR", "0f 1f 40 d6"));
  assert.ok(!plausible("sealed ENDBR", "e9 0f 1f 00"));
  assert.ok(plausible("SMP locks", "3e"));
  assert.ok(plausible("jump labels", "66 90"));
  assert.ok(!plausible("jump labels", "90 90"));
  assert.ok(plausible("kprobes", "cc"));
  assert.ok(plausible("alternatives", "55"));
  assert.ok(patching.isNoCall(bytesOf("2e 2e 2e 31 c0")));
  assert.ok(patching.isNoCall(bytesOf("c3")));
  assert.ok(!patching.isNoCall(bytesOf("e8 00 00 00 00")));
});

Deno.test("a call redirected to the padding before its function", () => {
  const trusted = bytesOf("e8 40 00 00 00 90");
  const own = bytesOf("e8 30 00 00 00 90");
  const far = bytesOf("e8 00 00 00 00 90");
  const is = (bytes: Uint8Array, calls: number[]) =>
    patching.bentCalls?.isBent(trusted, bytes, 1, new Set(calls));
  assert.equal(is(own, [0]), true);
  assert.equal(is(own, []), false);
  assert.equal(is(far, [0]), false);
});

Deno.test("padding before code, and the no-op of a call site that is none", () => {
  const filler = (text: string) => instructions.fillerAt(bytesOf(text));
  assert.deepEqual(["cc", "00", "90 90", "66 90"].map(filler), [1, 1, 1, 2]);
  // As assemblers align.
  assert.equal(filler("0f 1f 00 55"), 3);
  assert.equal(filler("0f 1f 40 00 55"), 4);
  assert.equal(filler("66 0f 1f 44 00 00 55"), 6);
  assert.equal(filler("0f 1f 80 00 00 00 00 55"), 7);
  assert.equal(filler("66 2e 0f 1f 84 00 00 00 00 00 55"), 10);
  // ENDBR64, Ftrace's call site, other instructions, and the end.
  for (const code of ["f3 0f 1e fa", "0f 1f 44 00 00", "55", "66 89 c0"]) {
    assert.equal(filler(code), 0, code);
  }
  assert.equal(instructions.fillerAt(new Uint8Array()), 0);
});
