import assert from "node:assert/strict";
import { instructions } from "./instructions.ts";

const AT = 0xffffffff81000000n;
/** MODULES_VADDR, which is PUD_MASK. */
const MASK = 0xffffffffc0000000n;
const ADDRESS = 0xffffffffc0000010n;

const bytesOf = (text: string) =>
  Uint8Array.from(text.split(" "), (byte) => parseInt(byte, 16));

/** How what `code` holds is told, where the region of modules begins with code. */
function ways(code: string) {
  const bytes = new Uint8Array(256).fill(0x90);
  bytes.set(bytesOf(code));
  // At 0x80 a thunk of rax, at 0xa0 one of rdi with a retpoline.
  bytes.set(bytesOf("ff e0 cc"), 0x80);
  bytes.set(bytesOf("e8 01 00 00 00 cc 48 89 3c 24 c3"), 0xa0);
  // At 0xc0 a function that is no thunk.
  bytes.set(bytesOf("48 21 f8 c3"), 0xc0);
  return instructions.waysOut(
    { start: AT, bytes, functionStart: () => 0 },
    [{ start: MASK, end: MASK + 0x1000n, writable: false }],
  ).map(({ from, how, target }) => {
    assert.ok(target === MASK || target === ADDRESS);
    return `${from - AT} ${how}`;
  });
}

const HELD = ["0 holds the address of"];

Deno.test("a mask that is passed on or computed with is no address", () => {
  for (
    const code of [
      // mov $mask, %rdi; call 0xc0; ret: as in walk_pud_range
      "48 c7 c7 00 00 00 c0 e8 b4 00 00 00 c3",
      // mov $mask, %rax; and %rdi, %rax; jmp *%rax
      "48 c7 c0 00 00 00 c0 48 21 f8 ff e0",
      // movabs $mask, %rax; mov %rdi, %rax; jmp *%rax
      "48 b8 00 00 00 c0 ff ff ff ff 48 89 f8 ff e0",
      // mov $mask, %r15; then none of 64 instructions uses it
      "49 c7 c7 00 00 00 c0",
      // mov $mask, %rdi; call *%rax; jmp *%rdi: the call has overwritten it
      "48 c7 c7 00 00 00 c0 ff d0 ff e7",
      // push $mask; pop %rdi; ret
      "68 00 00 00 c0 5f c3",
    ]
  ) assert.deepEqual(ways(code), [], code);
});

Deno.test("a mask that a branch leads to is an address", () => {
  for (
    const code of [
      "48 c7 c0 00 00 00 c0 ff e0", // mov $mask, %rax; jmp *%rax
      "49 c7 c3 00 00 00 c0 41 ff d3", // mov $mask, %r11; call *%r11
      "48 b9 00 00 00 c0 ff ff ff ff ff e1", // movabs $mask, %rcx; jmp *%rcx
      "68 00 00 00 c0 c3", // push $mask; ret
      "48 c7 c0 00 00 00 c0 50 c3", // mov $mask, %rax; push %rax; ret
      // mov $mask, %rcx; mov %rcx, %rax; nop; jmp *%rax
      "48 c7 c1 00 00 00 c0 48 89 c8 0f 1f 44 00 00 ff e0",
      // mov $mask, %rax; jmp +2; ...; jmp *%rax
      "48 c7 c0 00 00 00 c0 eb 02 cc cc ff e0",
      "48 c7 c0 00 00 00 c0 e8 74 00 00 00", // ...; call a thunk of rax
      "48 c7 c7 00 00 00 c0 e9 94 00 00 00", // ...; jmp to a thunk of rdi
      "48 c7 c0 00 00 00 c0 06", // bytes that are no instruction
    ]
  ) assert.deepEqual(ways(code), HELD, code);
});

Deno.test("any other address of executable memory needs no branch", () => {
  assert.deepEqual(ways("48 c7 c7 10 00 00 c0 e8 b4 00 00 00 c3"), HELD);
});
