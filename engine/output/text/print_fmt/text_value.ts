/**
 * Strings printed by a print_fmt: literals, arrays of char in the record, and
 * kernel strings behind a pointer.
 *
 * @module
 */

import { isErrorPointer } from "../../../base/error_pointer.ts";
import { GRANULE } from "../../../memory/elf_core_ranges.ts";
import type { TextEnvironment } from "../environment.ts";
import type { RecordBytes } from "../record.ts";
import type { Code } from "./code.ts";
import { asInt, toInt } from "./code.ts";
import { TEXT_TYPE, ULONG } from "./ctype.ts";

/**
 * The value as a string, in the way of `%s`: up to the NUL. A kernel string
 * that cannot be read is shown as its address, as the kernel's own check does.
 */
export function textOf(code: Code, env: TextEnvironment): Code {
  return { type: TEXT_TYPE, run: boundedText(code, env) };
}

/** Like {@linkcode textOf}, but reads at most `limit` bytes. */
export function boundedText(
  code: Code,
  env: TextEnvironment,
): (record: RecordBytes, limit?: number) => string {
  const run = code.run;
  switch (code.type.kind) {
    case "text":
      return run as (record: RecordBytes) => string;
    case "record":
      return (record, limit) => record.string(run(record) as number, limit);
    default: {
      const address = toInt(asInt(code), ULONG).run;
      return (record) => kernelText(address(record) as bigint, env);
    }
  }
}

function kernelText(address: bigint, env: TextEnvironment): string {
  if (address === 0n) return "(null)";
  // lib/vsprintf.c, check_pointer_msg.
  const firstPage = BigInt(env.pageSize ?? GRANULE);
  if (address < firstPage || isErrorPointer(address)) return "(efault)";
  const text = env.string(
    Number(address & 0xffffffffn),
    Number(address >> 32n),
  );
  return text ?? `(0x${address.toString(16).padStart(16, "0")})`;
}
