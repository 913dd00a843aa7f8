/**
 * Finds the references that lead out of a text: branches to, and addresses of,
 * executable memory elsewhere.
 *
 * @module
 */
import type { MappedRange } from "../../memory/gva_ranges.ts";
import type { ScannedText, WayOut } from "../instructions.ts";
import { decode, Instruction } from "./decode.ts";
import { isBranchedTo, isMask } from "./held_mask.ts";
import { MODULES } from "./image.ts";

/** The high half that all GVAs in the module region and the image share. */
const HIGH = MODULES.start - MODULES.start % (1n << 32n);
const PAGE = 4096;
const LOW_START = Number(MODULES.start & 0xffffffffn);
const LOW_END = Number(MODULES.end & 0xffffffffn);

/**
 * Implements `Instructions.waysOut`. A match in the bytes is certain only when
 * an instruction lies there, decoded from the start of its function. Where that
 * is, a symbol of the guest's says; and bytes that no instruction begins with,
 * or that swallow the next one, may have been put before it to be jumped over.
 */
export function waysOut(
  text: ScannedText,
  executable: readonly MappedRange[],
): WayOut[] {
  const pages = new Uint8Array((LOW_END - LOW_START) / PAGE);
  for (const { start, end } of executable) {
    if (end <= MODULES.start || start >= MODULES.end) continue;
    const from = (Number(start & 0xffffffffn) - LOW_START) >>> 12;
    pages.fill(1, from, from + Number((end - start) >> 12n));
  }
  const found: WayOut[] = [];
  const cursor = { first: -1, at: 0, insn: new Instruction() };
  const { bytes } = text;
  const base = Number(text.start & 0xffffffffn);
  let value = bytes[0] << 8 | bytes[1] << 16 | bytes[2] << 24;
  for (let i = 0; i + 4 <= bytes.length; i++) {
    value = (value >>> 8) | bytes[i + 3] << 24;
    const low = value >>> 0;
    if (low >= LOW_START && low < LOW_END && pages[(low - LOW_START) >>> 12]) {
      add(found, text, i, HIGH + BigInt(low), false, cursor);
    }
    const before = i > 0 ? bytes[i - 1] : 0;
    const isBranch = before === 0xe8 || before === 0xe9 ||
      ((before & 0xf0) === 0x80 && i > 1 && bytes[i - 2] === 0x0f);
    if (!isBranch) continue;
    const to = (base + i + 4 + value) >>> 0;
    if (to >= LOW_START && to < LOW_END && pages[(to - LOW_START) >>> 12]) {
      add(found, text, i, HIGH + BigInt(to), true, cursor);
    }
  }
  return found;
}

/** How far a function is decoded, and its last instruction. */
interface Cursor {
  first: number;
  at: number;
  readonly insn: Instruction;
}

/**
 * Adds the reference if an instruction has its distance or immediate at offset
 * `i`.
 */
function add(
  found: WayOut[],
  { start, bytes, functionStart }: ScannedText,
  i: number,
  target: bigint,
  branch: boolean,
  cursor: Cursor,
): void {
  // What was decoded for the match before is not decoded again: a function may
  // be as long as the guest says.
  const first = functionStart(i);
  let at = cursor.first === first && cursor.at <= i ? cursor.at : first;
  const { insn } = cursor;
  let length = 0;
  while (at <= i) {
    length = decode(bytes, at, insn);
    if (length === 0 || at + length > i) break;
    at += length;
  }
  Object.assign(cursor, { first, at });
  const perhaps = () => {
    // Words that look like addresses are too common.
    if (!branch) return;
    const here = bytes.slice(i, i + 4);
    const from = start + BigInt(i);
    found.push({ from, bytes: here, target, how: "may lead to" });
  };
  if (length === 0) {
    perhaps();
    return;
  }
  const { map, opcode } = insn;
  const from = start + BigInt(at);
  const way = (how: WayOut["how"]) =>
    found.push({ from, bytes: bytes.slice(at, at + insn.length), target, how });
  // jmp *0(%rip) followed by its pointer: these bytes are not an instruction.
  const farJump = !branch && i >= 6 && bytes[i - 6] === 0xff &&
    bytes[i - 5] === 0x25 && bytes[i - 4] === 0 && bytes[i - 3] === 0 &&
    bytes[i - 2] === 0 && bytes[i - 1] === 0 && signExtends(bytes, i + 4);
  if (farJump) {
    way("jumps to");
    return;
  }
  if (insn.immediateAt === 0 || at + insn.immediateAt !== i) {
    perhaps();
    return;
  }
  if (branch) {
    if (insn.branch) way(map === 0 && opcode === 0xe8 ? "calls" : "jumps to");
    else perhaps();
    return;
  }
  if (insn.branch || map !== 0) return;
  // mov $imm32, %r64 and push $imm32 sign-extend; mov $imm64 holds all 64 bits.
  const wide = (insn.rex & 8) !== 0;
  const moved = opcode === 0xc7 && wide && insn.modrm >= 0xc0 ||
    opcode >= 0xb8 && opcode <= 0xbf && wide && signExtends(bytes, i + 4);
  if (!moved && opcode !== 0x68) return;
  if (isMask(Number(target & 0xffffffffn))) {
    const register = (opcode === 0xc7 ? insn.modrm & 7 : opcode & 7) |
      (insn.rex & 1) << 3;
    const next = at + insn.length;
    // `insn` is still needed.
    const isAddress = isBranchedTo(
      bytes,
      next,
      moved ? register : undefined,
      new Instruction(),
    );
    if (!isAddress) return;
  }
  way("holds the address of");
}

function signExtends(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xff && bytes[at + 1] === 0xff &&
    bytes[at + 2] === 0xff && bytes[at + 3] === 0xff;
}
