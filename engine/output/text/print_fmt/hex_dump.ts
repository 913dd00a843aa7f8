/**
 * `__print_hex_dump` (`trace_print_hex_dump_seq` in
 * kernel/trace/trace_output.c, `seq_buf_hex_dump` in lib/seq_buf.c).
 *
 * @module
 */

import type { TextEnvironment } from "../environment.ts";
import { UNKNOWN_POINTER } from "../printf/pointer.ts";
import { hexDumpRow } from "../printf/pointer_bytes.ts";
import type { RecordBytes } from "../record.ts";
import { asInt, type Code, startOf, toInt } from "./code.ts";
import { INT, TEXT_TYPE } from "./ctype.ts";
import { boundedText } from "./text_value.ts";

/** DUMP_PREFIX_* (include/linux/printk.h); other values are no prefix. */
const PREFIX_ADDRESS = 1;
const PREFIX_OFFSET = 2;

/**
 * A line break, and a line for each row of bytes.
 *
 * With DUMP_PREFIX_ADDRESS, a row begins with the address at which the kernel's
 * reader keeps its copy of the event, which is another one whenever it is read.
 * It is shown as the kernel shows addresses before it can hash them.
 *
 * @param value compiles an argument: prefix, its kind, bytes in a row, bytes in
 * a group, the bytes, how many they are, whether they are shown as text too
 */
export function printHexDump(
  value: (index: number) => Code,
  env: TextEnvironment,
): Code {
  const number = (index: number) =>
    toInt(asInt(value(index)), INT).run as (record: RecordBytes) => number;
  const prefix = boundedText(value(0), env);
  const kind = number(1);
  const rowSize = number(2);
  const groupSize = number(3);
  const start = startOf(value(4), "__print_hex_dump");
  const length = number(5);
  const ascii = number(6);
  return {
    type: TEXT_TYPE,
    run: (record) => {
      const first = start(record);
      const total = Math.min(length(record), record.size);
      const row = rowSize(record) === 32 ? 32 : 16;
      const begin = prefix(record);
      const where = kind(record);
      let text = "\n";
      for (let at = 0; at < total; at += row) {
        const bytes = Array.from(
          { length: Math.min(row, total - at) },
          (_, i) => record.u8(first + at + i),
        );
        text += begin;
        if (where === PREFIX_ADDRESS) text += `${UNKNOWN_POINTER}: `;
        if (where === PREFIX_OFFSET) {
          text += `${at.toString(16).padStart(8, "0")}: `;
        }
        text += hexDumpRow(bytes, row, groupSize(record), ascii(record) !== 0) +
          "\n";
      }
      return text;
    },
  };
}
