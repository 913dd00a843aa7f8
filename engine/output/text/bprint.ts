/**
 * Renders `trace_printk` entries: a kernel format string, and the arguments as
 * the kernel packed them (lib/vsprintf.c, vbin_printf and bstr_printf).
 *
 * @module
 */

import type { TextEnvironment } from "./environment.ts";
import { addressFormatter } from "./printf/pointer.ts";
import { formatInteger, formatString } from "./printf/printf_number.ts";
import {
  fieldSize,
  type FormatPiece,
  parseFormat,
  STAR,
} from "./printf/printf_spec.ts";
import type { RecordBytes } from "./record.ts";

/** Renders packed arguments; each format is parsed only once. */
export class PackedPrintf {
  readonly #env: TextEnvironment;
  readonly #formats = new Map<string, FormatPiece[]>();

  constructor(env: TextEnvironment) {
    this.#env = env;
  }

  /** `bstr_printf`: the arguments start at offset `at` of the record. */
  render(format: string, record: RecordBytes, at: number): string {
    let pieces = this.#formats.get(format);
    if (pieces === undefined) {
      pieces = parseFormat(format);
      this.#formats.set(format, pieces);
    }
    const args = new Arguments(record, at);
    let text = "";
    for (const { literal, spec } of pieces) {
      text += literal;
      if (spec === undefined || spec.conversion === "?") continue;
      let width = spec.width;
      let used = spec;
      if (width === STAR) {
        width = fieldSize(args.int());
        if (width < 0) {
          width = -width;
          used = { ...spec, left: true };
        }
      }
      const precision = spec.precision === STAR
        ? Math.max(0, fieldSize(args.int()))
        : spec.precision;
      switch (spec.conversion) {
        case "s":
          text += formatString(args.text(), used.left, width, precision);
          break;
        case "c":
          text += formatString(
            String.fromCharCode(args.byte()),
            used.left,
            width,
            -1,
          );
          break;
        case "p": {
          // Only plain addresses are packed as numbers; every other pointer was
          // rendered when it was recorded.
          const packed = /^([SsFfxKe].*)?$/.test(spec.pointer);
          const address = packed ? addressFormatter(spec) : undefined;
          text += address === undefined
            ? args.text()
            : address(args.long(), this.#env, width);
          break;
        }
        default:
          text += formatInteger(
            args.integer(spec.size),
            used,
            width,
            precision,
          );
      }
    }
    return text;
  }
}

class Arguments {
  readonly #record: RecordBytes;
  #at: number;

  constructor(record: RecordBytes, at: number) {
    this.#record = record;
    this.#at = at;
  }

  int(): number {
    this.#align(4);
    this.#at += 4;
    return this.#record.s32(this.#at - 4);
  }

  byte(): number {
    this.#at += 1;
    return this.#record.u8(this.#at - 1);
  }

  /** 8 bytes, aligned to only 4. */
  long(): bigint {
    this.#align(4);
    this.#at += 8;
    return this.#record.u64(this.#at - 8);
  }

  integer(size: number): number | bigint {
    switch (size) {
      case 8:
        return this.long();
      case 2:
        this.#align(2);
        this.#at += 2;
        return this.#record.u16(this.#at - 2);
      case 1:
        return this.byte();
      default:
        return this.int();
    }
  }

  text(): string {
    const start = this.#at;
    while (this.#at < this.#record.size && this.#record.u8(this.#at) !== 0) {
      this.#at++;
    }
    this.#at++;
    return this.#record.string(start);
  }

  #align(to: number): void {
    // The buffer is aligned to a word, so aligning offsets also aligns
    // addresses.
    this.#at += (to - this.#at % to) % to;
  }
}
