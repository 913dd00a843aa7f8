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

/** Numbers by what becomes of them: each of them once. */
function fates(bytes: Uint8Array): { of: (nr: number) => string } {
  const { exits, lost } = followDispatch("x64_sys_call", TEXT, bytes);
  const all = new Map<number, string>();
  const add = (numbers: readonly number[], fate: string) => {
    for (const nr of numbers) {
      assert.equal(all.has(nr), false, `${nr} comes to two places`);
      all.set(nr, fate);
    }
  };
  for (const { numbers, target } of exits) {
    add(numbers, `0x${(target - TEXT).toString(16)}`);
  }
  for (const { numbers, why } of lost) add(numbers, why);
  for (let nr = 0; nr < 1024; nr++) assert.ok(all.has(nr), `${nr} is missing`);
  return { of: (nr) => all.get(nr) ?? "" };
}

Deno.test("no number is passed over, whatever is in its way", () => {
  // The jumps of read and getcwd are the first two.
  const jump = tree().indexOf(0xe9, tree().indexOf(0xe9) + 1);
  const ways: readonly (readonly [string, readonly number[]])[] = [
    ["a return", [0xc3]],
    ["a breakpoint", [0xcc]],
    ["an indirect branch", [0xff, 0xe0]], // jmp *%rax
    ["an indirect branch", [0xff, 0xd0]], // call *%rax
    ["another instruction", [0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["another instruction", [0x31, 0xf6]], // xor %esi,%esi
    ["another instruction", [0x00, 0x00]],
    ["another instruction", [0x41, 0x83, 0xfe, 1]], // cmp $1,%r14d
    ["another instruction", [0x83, 0xff, 1]], // cmp $1,%edi
    ["an unknown instruction", [0x06]],
  ];
  for (const [why, bytes] of ways) {
    const changed = tree();
    changed.set(bytes, jump);
    const { of } = fates(changed);
    assert.match(of(79), new RegExp(`^${why}`), `${bytes}`);
    assert.equal(of(0), "0x1000");
  }
});

Deno.test("no-ops and a frame pointer are no obstacle", () => {
  const before = [
    [0xf3, 0x0f, 0x1e, 0xfa],
    [0x55],
    [0x48, 0x89, 0xe5],
    [0x66, 0x90],
    [0x0f, 0x1f, 0x40, 0x00],
  ];
  for (const bytes of before) {
    const { of } = fates(Uint8Array.from([...bytes, ...tree()]));
    assert.equal(of(79), `0x${(0x3000 + bytes.length).toString(16)}`);
  }
});

Deno.test("code that is not such a tree loses every number", () => {
  const odd: readonly (readonly [string, readonly number[]])[] = [
    ["a branch without a comparison", [0x74, 0x02, 0xc3]],
    ["an unknown instruction", [0x06]],
    ["a loop", [0xe2, 0xfe]],
    ["a condition that was not expected", [0x83, 0xfe, 1, 0x70, 0]],
    ["an unknown instruction", []],
  ];
  for (const [why, bytes] of odd) {
    assert.equal(fates(Uint8Array.from(bytes)).of(0), why);
  }
});

Deno.test("code that does not end is refused", () => {
  assert.throws(
    () => followDispatch("x64_sys_call", TEXT, Uint8Array.from([0xeb, 0xfe])),
    KernelError,
  );
});
