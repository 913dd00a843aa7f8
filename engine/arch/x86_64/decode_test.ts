import assert from "node:assert/strict";
import { decode, Instruction, signed } from "./decode.ts";

/** Instructions with their bytes as printed by objdump. */
const INSTRUCTIONS: readonly (readonly [string, string])[] = [
  ["0f 1f 44 00 00", "nopl 0x0(%rax,%rax,1)"],
  ["81 fe b0 00 00 00", "cmp $0xb0,%esi"],
  ["83 fe 56", "cmp $0x56,%esi"],
  ["65 48 8b 04 25 80 fb 01 00", "mov %gs:0x1fb80,%rax"],
  ["48 c7 43 50 da ff ff ff", "movq $-38,0x50(%rbx)"],
  ["48 b8 ef cd ab 89 67 45 23 01", "movabs $0x123456789abcdef,%rax"],
  ["b8 00 00 31 c0", "mov $0xc0310000,%eax"],
  ["66 b8 34 12", "mov $0x1234,%ax"],
  ["66 81 3f 34 12", "cmpw $0x1234,(%rdi)"],
  ["f6 05 11 22 33 44 01", "testb $1,0x44332211(%rip)"],
  ["f7 d0", "not %eax"],
  ["f7 c1 78 56 34 12", "test $0x12345678,%ecx"],
  ["ff 25 00 00 00 00", "jmp *0(%rip)"],
  ["2e e8 01 02 03 04", "cs call"],
  ["c8 10 00 01", "enter"],
  ["0f ba e0 05", "bt $5,%eax"],
  ["66 0f 3a 0f c1 08", "palignr $8,%xmm1,%xmm0"],
  ["66 0f 38 00 c1", "pshufb %xmm1,%xmm0"],
  ["c5 f9 6f 44 24 10", "vmovdqa 0x10(%rsp),%xmm0"],
  ["c4 e3 7d 39 c1 01", "vextracti128 $1,%ymm0,%xmm1"],
  ["c5 f8 77", "vzeroupper"],
  ["62 f1 fd 48 6f 46 01", "vmovdqa64 0x40(%rsi),%zmm0"],
  ["62 f3 fd 48 25 c1 96", "vpternlogq $0x96,%zmm1,%zmm0,%zmm0"],
  ["41 ff e3", "jmp *%r11"],
  ["f3 0f 1e fa", "endbr64"],
  ["f2 0f c2 c1 01", "cmpltsd %xmm1,%xmm0"],
  // What a hypervisor emulates is the instruction behind these.
  ["0f 0b 78 65 6e", "ud2; xen"],
  ["0f 0b 6b 76 6d", "ud2; kvm"],
  ["0f 0b", "ud2"],
];

const bytesOf = (text: string) =>
  Uint8Array.from(text.split(" "), (byte) => parseInt(byte, 16));

Deno.test("instructions have the length that objdump gives them", () => {
  const insn = new Instruction();
  for (const [text, name] of INSTRUCTIONS) {
    const bytes = bytesOf(text);
    // The bytes that follow must not be taken for a part of the instruction.
    const padded = new Uint8Array(32).fill(0x05);
    padded.set(bytes, 3);
    assert.equal(decode(padded, 3, insn), bytes.length, name);
  }
});

Deno.test("the distances of branches are decoded", () => {
  const insn = new Instruction();
  for (
    const [text, distance] of [
      ["e8 fc ff ff ff", -4],
      ["e9 10 00 00 00", 16],
      ["0f 84 43 0c 00 00", 0xc43],
      ["77 7a", 0x7a],
      ["eb dd", -0x23],
    ] as const
  ) {
    const bytes = bytesOf(text);
    decode(bytes, 0, insn);
    assert.ok(insn.branch, text);
    assert.equal(
      signed(bytes, insn.immediateAt, insn.immediateSize),
      distance,
      text,
    );
  }
});

Deno.test("bytes that are not an instruction have no length", () => {
  const insn = new Instruction();
  for (
    const text of ["06", "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90"]
  ) {
    assert.equal(decode(bytesOf(text), 0, insn), 0, text);
  }
  assert.equal(decode(bytesOf("e8 00 00"), 0, insn), 0, "cut short");
});
