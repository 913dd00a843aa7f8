/**
 * Analyses the branches within `x64_sys_call` and its variants, which have
 * replaced the system call tables.
 *
 * Sources: arch/x86/entry/syscall_64.c, syscall_32.c, common.c.
 *
 * @module
 */
import { KernelError } from "../../../base/errors.ts";
import type { Kernel } from "../../../kernel/core/kernel.ts";
import { decode, Instruction, signed } from "../decode.ts";
import { endbrLength, OPCODE } from "../opcodes.ts";

/** Where the branches of a dispatching function lead. */
export interface Dispatch {
  readonly symbol: string;
  readonly gva: bigint;
  /** Branches that leave the function. */
  readonly exits: readonly DispatchExit[];
  /** Where numbers cannot be followed any further. */
  readonly lost: readonly DispatchLoss[];
}

/** A place at which some numbers do not go on to a branch that leaves. */
export interface DispatchLoss {
  /** GVA of the instruction. */
  readonly at: bigint;
  /** What it is: part of a sentence. */
  readonly why: string;
  /** System call numbers that come there. */
  readonly numbers: readonly number[];
}

/** A branch that leaves the dispatching function. */
export interface DispatchExit {
  /** GVA of the branch. */
  readonly from: bigint;
  /** Bytes of the branch instruction. */
  readonly bytes: Uint8Array;
  /** GVA it leads to. */
  readonly target: bigint;
  /** System call numbers that take this branch. */
  readonly numbers: readonly number[];
}

/** The numbers `low` to `high`, inclusive. */
interface Interval {
  low: number;
  high: number;
}

/** The numbers that reach an instruction, and the value compared last. */
interface State {
  readonly at: number;
  readonly in: Interval;
  /** Numbers within the interval that have already branched elsewhere. */
  readonly without: readonly number[];
  readonly compared?: number;
}

const MAX_NUMBER = 0xffff_ffff;
/** Numbers from this one on are not told apart; no kernel has so many. */
export const DISPATCH_NUMBERS = 1024;

/**
 * Instructions beside comparisons and branches that leave the number and the
 * way as they are: no-ops, ENDBR, and those that keep a frame pointer.
 */
function isHarmless(
  bytes: Uint8Array,
  at: number,
  { map, opcode, modrm, rex, length }: Instruction,
): boolean {
  if (map === 1) {
    return opcode === 0x1f || opcode === 0x1e && modrm === 0xfa;
  }
  if (map !== 0 || rex !== 0 && rex !== 0x48) return false;
  // nop, push %rbp, pop %rbp; mov %rsp,%rbp.
  if (rex === 0) return [0x90, 0x55, 0x5d].includes(opcode);
  return length === 3 && bytes[at + 1] === 0x89 && modrm === 0xe5;
}

/**
 * Follows the comparisons of a dispatching function for all numbers at once:
 * compilers turn its switch statement into a search tree of `cmp $nr,%esi` and
 * branches. Whatever else is among them may change the number, or lead anywhere:
 * the numbers that come there are lost.
 *
 * @returns `undefined` when this kernel has no such function
 * @throws {KernelError} when its code is not such a tree.
 */
export function dispatch(kernel: Kernel, symbol: string): Dispatch | undefined {
  const gva = kernel.symbols.tryAddress(symbol);
  if (gva === undefined) return undefined;
  const size = kernel.symbols.lookup(gva)?.size ?? 0;
  return followDispatch(symbol, gva, kernel.space.bytes(gva, size));
}

/**
 * Like {@linkcode dispatch}, for the bytes of a dispatching function.
 *
 * @param gva the address of the bytes in the guest
 */
export function followDispatch(
  symbol: string,
  gva: bigint,
  bytes: Uint8Array,
): Dispatch {
  const size = bytes.length;
  const exits = new Map<
    number,
    { target: bigint; length: number; numbers: number[] }
  >();
  const losses = new Map<number, { why: string; numbers: number[] }>();
  const insn = new Instruction();
  const work: State[] = [
    { at: 0, in: { low: 0, high: MAX_NUMBER }, without: [] },
  ];
  for (let steps = 0; work.length > 0; steps++) {
    const state = work.pop();
    if (state === undefined) break;
    let { at, compared, without } = state;
    let { low, high } = state.in;
    const lose = (why: string) => {
      const lost = losses.get(at) ?? { why, numbers: [] };
      lost.numbers.push(...numbersIn({ low, high }, without));
      losses.set(at, lost);
    };
    for (;; steps++) {
      if (steps > 200_000) throw odd(symbol, gva, at, "it does not end");
      const length = decode(bytes, at, insn);
      if (length === 0) {
        lose("an unknown instruction");
        break;
      }
      const { map, opcode, modrm, rex, branch } = insn;
      if (branch) {
        const distance = signed(
          bytes,
          at + insn.immediateAt,
          insn.immediateSize,
        );
        const to = at + length + distance;
        const condition = map === 1 || (opcode & 0xf0) === 0x70
          ? opcode & 15
          : -1;
        let taken: Interval = { low, high };
        let rest: Interval = { low: 1, high: 0 };
        if (condition >= 0) {
          const split = compared === undefined
            ? undefined
            : splitBy(condition, compared, low, high);
          if (compared === undefined || split === undefined) {
            lose(
              compared === undefined
                ? "a branch without a comparison"
                : "a condition that was not expected",
            );
            break;
          }
          [taken, rest] = split;
          // A number that takes the `je` no longer reaches the next
          // instruction, even when it is in the middle of the interval.
          if ((condition | 1) === 5) without = [...without, compared];
        } else if (opcode >= 0xe0 && opcode <= 0xe3) {
          lose("a loop");
          break;
        }
        const equal = condition === 4;
        if (taken.low <= taken.high) {
          const leaves = to < 0 || to >= size || opcode === 0xe8 && map === 0;
          if (leaves && !isFtraceCall(opcode, map, at, bytes)) {
            const exit = exits.get(at) ??
              { target: gva + BigInt(to), length, numbers: [] };
            exit.numbers.push(...numbersIn(taken, equal ? [] : without));
            exits.set(at, exit);
          } else if (!leaves) {
            work.push({
              at: to,
              in: taken,
              compared,
              without: equal ? state.without : without,
            });
          }
        }
        // A call leads to Ftrace, or to a function that does not return.
        if (
          condition < 0 && !isFtraceCall(opcode, map, at, bytes)
        ) break;
        if (condition >= 0) ({ low, high } = rest);
        if (low > high) break;
        if (condition === 5) without = without.filter((nr) => nr !== compared);
      } else if (
        // cmp $number,%esi
        map === 0 && (opcode === 0x81 || opcode === 0x83) &&
        modrm === 0xfe && rex === 0 && length === insn.immediateSize + 2
      ) {
        compared = signed(
          bytes,
          at + insn.immediateAt,
          insn.immediateSize,
        ) >>> 0;
      } else if (
        map === 0 && opcode === 0x85 && modrm === 0xf6 && length === 2
      ) {
        compared = 0; // test %esi,%esi
      } else if (!isHarmless(bytes, at, insn)) {
        lose(whatIs(insn));
        break;
      }
      at += length;
    }
  }
  const inOrder = <T>(found: ReadonlyMap<number, T>) =>
    [...found].sort(([a], [b]) => a - b);
  const once = (numbers: readonly number[]) =>
    [...new Set(numbers)].sort((a, b) => a - b);
  return {
    symbol,
    gva,
    exits: inOrder(exits).map(([at, exit]) => ({
      from: gva + BigInt(at),
      bytes: bytes.slice(at, at + exit.length),
      target: exit.target,
      numbers: once(exit.numbers),
    })),
    lost: inOrder(losses).map(([at, { why, numbers }]) => ({
      at: gva + BigInt(at),
      why,
      numbers: once(numbers),
    })),
  };
}

/** The numbers of an interval, up to those that are not told apart. */
function numbersIn(
  { low, high }: Interval,
  without: readonly number[],
): number[] {
  const numbers: number[] = [];
  const last = Math.min(high, DISPATCH_NUMBERS - 1);
  for (let nr = low; nr <= last; nr++) {
    if (!without.includes(nr)) numbers.push(nr);
  }
  return numbers;
}

/** What an instruction is at which numbers are lost. */
function whatIs({ map, opcode, modrm }: Instruction): string {
  if (map !== 0) return "another instruction than a comparison or a branch";
  if (opcode === 0xc3 || opcode === 0xc2) return "a return";
  if (opcode === 0xcc) return "a breakpoint";
  const kind = modrm >> 3 & 7;
  if (opcode === 0xff && kind >= 2 && kind <= 5) return "an indirect branch";
  return "another instruction than a comparison or a branch";
}

/** The call at the start of the function is that of Ftrace. */
function isFtraceCall(
  opcode: number,
  map: number,
  at: number,
  bytes: Uint8Array,
): boolean {
  return map === 0 && opcode === OPCODE.call && at === endbrLength(bytes);
}

/**
 * Splits `low..high` into the numbers that take a branch after `cmp $value` and
 * those that do not.
 */
function splitBy(
  condition: number,
  value: number,
  low: number,
  high: number,
): [Interval, Interval] | undefined {
  const below = { low, high: Math.min(high, value - 1) };
  const upTo = { low, high: Math.min(high, value) };
  const above = { low: Math.max(low, value + 1), high };
  const from = { low: Math.max(low, value), high };
  const only = value >= low && value <= high
    ? { low: value, high: value }
    : { low: 1, high: 0 };
  switch (condition) {
    case 0x2: // jb
    case 0xc: // jl: numbers are small and positive here
      return [below, from];
    case 0x3: // jae
    case 0xd:
      return [from, below];
    case 0x4: // je: the rest may have a hole in it, which does no harm
      return [
        only,
        only.low > only.high
          ? { low, high }
          : low === value
          ? above
          : high === value
          ? below
          : { low, high },
      ];
    case 0x5: // jne
      return [
        low === value && high === value ? { low: 1, high: 0 } : { low, high },
        only,
      ];
    case 0x6: // jbe
    case 0xe:
      return [upTo, above];
    case 0x7: // ja
    case 0xf:
      return [above, upTo];
    default:
      return undefined;
  }
}

function odd(
  symbol: string,
  gva: bigint,
  at: number,
  why: string,
): KernelError {
  return new KernelError(
    `${symbol}'s text at 0x${
      (gva + BigInt(at)).toString(16)
    } is not understood: ${why}`,
  );
}
