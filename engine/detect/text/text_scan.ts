/**
 * Finds in text what leads out of it: branches and addresses of executable
 * memory elsewhere.
 *
 * @module
 */
import type { Kernel } from "../../kernel/core/kernel.ts";
import { decode, Instruction } from "../../kernel/patching/text_decode.ts";
import type { ImageBytes } from "../../kernel/patching/text_image.ts";
import { MODULES } from "../../arch/x86_64/image.ts";
import type { MappedRange } from "../../memory/gva_ranges.ts";

/** An instruction that leads out of the image. */
export interface WayOut {
  /** GVA of the instruction. */
  readonly from: bigint;
  readonly bytes: Uint8Array;
  /** GVA it leads to, or holds. */
  readonly target: bigint;
  /** `call`, `jump`, or `holds the address of` for an immediate. */
  readonly how: "calls" | "jumps to" | "holds the address of";
}

const LOW_START = Number(MODULES.start & 0xffffffffn);
const LOW_END = Number(MODULES.end & 0xffffffffn);

/**
 * Every instruction of `text` whose branch distance or immediate is an
 * address in `executable` within the modules' region. A match in the bytes
 * counts only when an instruction lies there, decoded from the start of its
 * function.
 */
export function waysOut(
  kernel: Kernel,
  text: ImageBytes,
  executable: readonly MappedRange[],
): WayOut[] {
  const pages = new Uint8Array((LOW_END - LOW_START) / 4096);
  for (const { start, end } of executable) {
    if (end <= MODULES.start || start >= MODULES.end) continue;
    const from = (Number(start & 0xffffffffn) - LOW_START) >>> 12;
    pages.fill(1, from, from + Number((end - start) >> 12n));
  }
  const found: WayOut[] = [];
  const { bytes } = text;
  const base = Number(text.start & 0xffffffffn);
  let value = bytes[0] << 8 | bytes[1] << 16 | bytes[2] << 24;
  for (let i = 0; i + 4 <= bytes.length; i++) {
    value = (value >>> 8) | bytes[i + 3] << 24;
    const low = value >>> 0;
    if (low >= LOW_START && low < LOW_END && pages[(low - LOW_START) >>> 12]) {
      add(found, kernel, text, i, 0xffffffff00000000n + BigInt(low), false);
    }
    const before = i > 0 ? bytes[i - 1] : 0;
    const isBranch = before === 0xe8 || before === 0xe9 ||
      ((before & 0xf0) === 0x80 && i > 1 && bytes[i - 2] === 0x0f);
    if (!isBranch) continue;
    const to = (base + i + 4 + value) >>> 0;
    if (to >= LOW_START && to < LOW_END && pages[(to - LOW_START) >>> 12]) {
      add(found, kernel, text, i, 0xffffffff00000000n + BigInt(to), true);
    }
  }
  return found;
}

/** Adds what is an instruction with its distance or immediate at offset `i`. */
function add(
  found: WayOut[],
  kernel: Kernel,
  { start, bytes }: ImageBytes,
  i: number,
  target: bigint,
  branch: boolean,
): void {
  const symbol = kernel.symbols.lookup(start + BigInt(i));
  if (symbol === undefined || symbol.address < start) return;
  const insn = new Instruction();
  let at = Number(symbol.address - start);
  while (at <= i) {
    const length = decode(bytes, at, insn);
    if (length === 0) return;
    if (at + length > i) break;
    at += length;
  }
  const { map, opcode } = insn;
  const from = start + BigInt(at);
  const way = (how: WayOut["how"]) =>
    found.push({ from, bytes: bytes.slice(at, at + insn.length), target, how });
  // jmp *0(%rip) with its pointer behind it: what follows is no instruction.
  const farJump = !branch && i >= 6 && bytes[i - 6] === 0xff &&
    bytes[i - 5] === 0x25 && bytes[i - 4] === 0 && bytes[i - 3] === 0 &&
    bytes[i - 2] === 0 && bytes[i - 1] === 0 && signExtends(bytes, i + 4);
  if (farJump) {
    way("jumps to");
    return;
  }
  if (insn.immediateAt === 0 || at + insn.immediateAt !== i) return;
  if (branch) {
    if (insn.branch) way(map === 0 && opcode === 0xe8 ? "calls" : "jumps to");
    return;
  }
  if (insn.branch || map !== 0) return;
  // mov $imm32, %r64 and push $imm32 extend the sign; mov $imm64 has it all.
  const wide = (insn.rex & 8) !== 0;
  const holds = (opcode === 0xc7 && wide && insn.modrm >= 0xc0) ||
    opcode === 0x68 ||
    (opcode >= 0xb8 && opcode <= 0xbf && wide && signExtends(bytes, i + 4));
  if (holds) way("holds the address of");
}

function signExtends(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xff && bytes[at + 1] === 0xff &&
    bytes[at + 2] === 0xff && bytes[at + 3] === 0xff;
}
