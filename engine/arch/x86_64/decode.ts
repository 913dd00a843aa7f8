/**
 * Lengths and branch targets of x86-64 instructions: just enough to walk
 * through a function. The tables follow the Intel SDM vol. 2, appendix A.
 *
 * @module
 */

/** One decoded instruction; the object is reused for each one. */
export class Instruction {
  /**
   * Length in bytes; 0 when this decoder knows no instruction with these bytes.
   */
  length = 0;
  /** 0: one-byte opcodes, 1: 0F, 2: 0F 38, 3: 0F 3A, 4: VEX and EVEX. */
  map = 0;
  opcode = 0;
  /** The ModRM byte, or -1 without one. */
  modrm = -1;
  /**
   * Offset of the immediate (or branch distance) from the start; 0 without one.
   */
  immediateAt = 0;
  immediateSize = 0;
  /** Whether the immediate is a distance relative to the instruction's end. */
  branch = false;
  /** Offset of a rip-relative displacement from the start; 0 without one. */
  ripAt = 0;
  /** REX prefix, or 0 without one. */
  rex = 0;
}

const MODRM = flags((op) =>
  (op < 0x40 && (op & 7) < 4) || op === 0x63 || op === 0x69 || op === 0x6b ||
  (op >= 0x80 && op <= 0x8f) || op === 0xc0 || op === 0xc1 || op === 0xc6 ||
  op === 0xc7 || (op >= 0xd0 && op <= 0xd3) || (op >= 0xd8 && op <= 0xdf) ||
  op === 0xf6 || op === 0xf7 || op === 0xfe || op === 0xff
);
const IMM8 = flags((op) =>
  (op < 0x40 && (op & 7) === 4) || op === 0x6a || op === 0x6b ||
  (op >= 0x70 && op <= 0x80) || op === 0x83 || op === 0xa8 ||
  (op >= 0xb0 && op <= 0xb7) || op === 0xc0 || op === 0xc1 || op === 0xc6 ||
  op === 0xcd || (op >= 0xe0 && op <= 0xe7) || op === 0xeb
);
const IMMZ = flags((op) =>
  (op < 0x40 && (op & 7) === 5) || op === 0x68 || op === 0x69 ||
  op === 0x81 || op === 0xa9 || op === 0xc7
);
// D6 is UDB, which always traps; Linux 7 has it in thunks (asm/bug.h).
const INVALID = flags((op) =>
  [0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61]
    .includes(op) || [0x82, 0x9a, 0xd4, 0xd5, 0xea, 0xce].includes(op)
);
const NO_MODRM_0F = flags((op) =>
  [0x05, 0x06, 0x07, 0x08, 0x09, 0x0b, 0x0e, 0x77].includes(op) ||
  (op >= 0x30 && op <= 0x37) || (op >= 0x80 && op <= 0x8f) ||
  (op >= 0xa0 && op <= 0xa2) || (op >= 0xa8 && op <= 0xaa) ||
  (op >= 0xc8 && op <= 0xcf)
);
const IMM8_0F = flags((op) =>
  (op >= 0x70 && op <= 0x73) || op === 0xa4 || op === 0xac || op === 0xba ||
  op === 0xc2 || (op >= 0xc4 && op <= 0xc6) || op === 0x0f
);

function flags(is: (op: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, op) => Number(is(op)));
}

/**
 * Decodes the instruction at `at`.
 *
 * @returns its length in bytes, 0 when the bytes are not an instruction
 */
export function decode(
  bytes: Uint8Array,
  at: number,
  into: Instruction,
): number {
  into.length = 0;
  into.map = 0;
  into.modrm = -1;
  into.immediateAt = 0;
  into.immediateSize = 0;
  into.branch = false;
  into.ripAt = 0;
  into.rex = 0;
  let p = at;
  let small = false;
  let shortAddress = false;
  for (;; p++) {
    const b = bytes[p];
    if (b === 0x66) small = true;
    else if (b === 0x67) shortAddress = true;
    else if (
      b !== 0xf0 && b !== 0xf2 && b !== 0xf3 && b !== 0x2e && b !== 0x36 &&
      b !== 0x3e && b !== 0x26 && b !== 0x64 && b !== 0x65
    ) break;
    if (p - at > 13) return 0;
  }
  if ((bytes[p] & 0xf0) === 0x40) into.rex = bytes[p++];
  const wide = (into.rex & 8) !== 0;
  let op = bytes[p++];
  let modrm = false;
  let immediate = 0;
  if (op === 0xc4 || op === 0xc5 || op === 0x62) {
    const map = op === 0xc5 ? 1 : bytes[p] & (op === 0x62 ? 7 : 31);
    p += op === 0xc5 ? 1 : op === 0xc4 ? 2 : 3;
    op = bytes[p++];
    into.map = 4;
    modrm = !(map === 1 && op === 0x77);
    immediate = map === 3 || (map === 1 && IMM8_0F[op] === 1) ? 1 : 0;
  } else if (op === 0x0f) {
    op = bytes[p++];
    if (op === 0x38 || op === 0x3a) {
      into.map = op === 0x38 ? 2 : 3;
      immediate = op === 0x3a ? 1 : 0;
      op = bytes[p++];
      modrm = true;
    } else {
      into.map = 1;
      modrm = NO_MODRM_0F[op] === 0;
      if (op >= 0x80 && op <= 0x8f) {
        immediate = 4;
        into.branch = true;
      } else if (IMM8_0F[op] === 1) immediate = 1;
    }
  } else {
    if (INVALID[op] === 1) return 0;
    modrm = MODRM[op] === 1;
    if (IMM8[op] === 1) immediate = 1;
    else if (IMMZ[op] === 1) immediate = small && !wide ? 2 : 4;
    else if (op >= 0xb8 && op <= 0xbf) immediate = wide ? 8 : small ? 2 : 4;
    else if (op >= 0xa0 && op <= 0xa3) immediate = shortAddress ? 4 : 8;
    else if (op === 0xc2 || op === 0xca) immediate = 2;
    else if (op === 0xc8) immediate = 3;
    else if (op === 0xe8 || op === 0xe9) immediate = 4;
    else if ((op === 0xf6 || op === 0xf7) && (bytes[p] & 0x38) < 0x10) {
      immediate = op === 0xf6 ? 1 : small && !wide ? 2 : 4;
    }
    into.branch = op === 0xe8 || op === 0xe9 || op === 0xeb ||
      (op >= 0x70 && op <= 0x7f) || (op >= 0xe0 && op <= 0xe3);
  }
  into.opcode = op;
  if (modrm) {
    const byte = bytes[p++];
    into.modrm = byte;
    const mod = byte >> 6;
    const rm = byte & 7;
    if (mod !== 3) {
      let displacement = mod === 1 ? 1 : mod === 2 ? 4 : 0;
      if (rm === 4) {
        if (mod === 0 && (bytes[p] & 7) === 5) displacement = 4;
        p++;
      } else if (mod === 0 && rm === 5) {
        displacement = 4;
        into.ripAt = p - at;
      }
      p += displacement;
    }
  }
  if (immediate > 0) {
    into.immediateAt = p - at;
    into.immediateSize = immediate;
    p += immediate;
  }
  // ud2 with a word for a hypervisor, which emulates the instruction behind it
  // (asm/emulate_prefix.h).
  if (into.map === 1 && op === 0x0b && isEmulated(bytes, p)) p += 3;
  if (p > bytes.length || p - at > 15) return 0;
  into.opcode = op;
  into.length = p - at;
  return into.length;
}

/** Whether the bytes are "xen" or "kvm". */
function isEmulated(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x78 && bytes[at + 1] === 0x65 &&
      bytes[at + 2] === 0x6e ||
    bytes[at] === 0x6b && bytes[at + 1] === 0x76 && bytes[at + 2] === 0x6d;
}

/** A little-endian s8 or s32 in text. */
export function signed(bytes: Uint8Array, at: number, size: number): number {
  return size === 1
    ? (bytes[at] << 24) >> 24
    : bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
      bytes[at + 3] << 24;
}
