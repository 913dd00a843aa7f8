import assert from "node:assert/strict";
import { KernelError } from "../../../base/errors.ts";
import { followDispatch } from "./syscall_dispatch.ts";

const TEXT = 0xffffffff81000000n;
const TARGETS = { read: 0x1000, write: 0x2000, getcwd: 0x3000, none: 0x4000 };

/** Builds the bytes of a search tree like those that compilers generate. */
class Assembler {
  readonly bytes: number[] = [];
  #labels = new Map<string, number>();
  #fixes: { at: number; label: string }[] = [];

  label(name: string): this {
    this.#labels.set(name, this.bytes.length);
    return this;
  }
  cmp(value: number): this {
    return this.#emit(0x83, 0xfe, value);
  }
  /** A short conditional branch to a label. */
  jcc(condition: number, label: string): this {
    this.#emit(0x70 | condition, 0);
    this.#fixes.push({ at: this.bytes.length - 1, label });
    return this;
  }
  /** A jump out of the function, to an offset from its start. */
  leave(to: number, opcode = 0xe9): this {
    const distance = to - (this.bytes.length + 5);
    return this.#emit(
      opcode,
      ...[0, 8, 16, 24].map((by) => (distance >> by) & 255),
    );
  }
  done(): Uint8Array {
    for (const { at, label } of this.#fixes) {
      this.bytes[at] = (this.#labels.get(label) ?? 0) - (at + 1);
    }
    return Uint8Array.from(this.bytes);
  }
  #emit(...bytes: number[]): this {
    this.bytes.push(...bytes);
    return this;
  }
}

const JE = 4;
const JNE = 5;
const JBE = 6;
const JA = 7;

/**
 * Calls 0 (read), 1 (write) and 79 (getcwd); 60 does not return; no other
 * numbers exist.
 */
function tree(getcwd = TARGETS.getcwd): Uint8Array {
  return new Assembler()
    .cmp(60).jcc(JE, "exit").jcc(JA, "above")
    .cmp(1).jcc(JE, "write").jcc(JA, "none")
    .cmp(0).jcc(JNE, "none").leave(TARGETS.read)
    .label("above").cmp(79).jcc(JNE, "none").leave(getcwd)
    .label("write").leave(TARGETS.write)
    .label("none").leave(TARGETS.none)
    .label("exit").leave(0x5000, 0xe8)
    .cmp(7).jcc(JBE, "none").leave(0x6000)
    .done();
}

Deno.test("each number leads to the target that the tree gives", () => {
  const { exits } = followDispatch("x64_sys_call", TEXT, tree());
  const to = (offset: number) =>
    exits.find(({ target }) => target === TEXT + BigInt(offset))?.numbers;
  assert.deepEqual(to(TARGETS.read), [0]);
  assert.deepEqual(to(TARGETS.write), [1]);
  assert.deepEqual(to(TARGETS.getcwd), [79]);
  assert.deepEqual(to(0x5000), [60]);
  const none = to(TARGETS.none) ?? [];
  assert.equal(none.length, 1024 - 4);
  for (const number of [0, 1, 60, 79]) assert.ok(!none.includes(number));
  assert.equal(to(0x6000), undefined, "what follows a call is not reached");
});

Deno.test("a redirected branch shows its number and its bytes", () => {
  const { exits } = followDispatch("x64_sys_call", TEXT, tree(0x7000));
  const bent = exits.find(({ target }) => target === TEXT + 0x7000n);
  assert.deepEqual(bent?.numbers, [79]);
  assert.equal(bent?.bytes[0], 0xe9);
});

Deno.test("code that is not such a tree is refused", () => {
  for (const bytes of [[0x74, 0x02, 0xc3], [0x06], [0xeb, 0xfe]]) {
    assert.throws(
      () => followDispatch("x64_sys_call", TEXT, Uint8Array.from(bytes)),
      KernelError,
    );
  }
});
