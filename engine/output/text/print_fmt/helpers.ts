/**
 * The functions that a print_fmt may call (include/trace/stages/
 * stage3_trace_output.h, kernel/trace/trace_output.c), and the few plain
 * functions whose results depend only on the event's bytes.
 *
 * @module
 */

import { bitmap, bitmapList, hexBytes } from "../printf/pointer_bytes.ts";
import type { RecordBytes } from "../record.ts";
import {
  asInt,
  type Code,
  computed,
  constant,
  load,
  type Scope,
  startOf,
  toInt,
  wrap,
} from "./code.ts";
import {
  type ExpressionType,
  INT,
  LONG,
  TEXT_TYPE,
  UINT,
  ULONG,
} from "./ctype.ts";
import { printFlags, printSymbolic } from "./flag_names.ts";
import { printHexDump } from "./hex_dump.ts";
import { PrintFmtError } from "./lexer.ts";
import type { Node } from "./parser.ts";

type Compile = (node: Node, scope: Scope) => Code;

/** Stands for a string fetched by a probe: quoted, or `(fault)`. */
export const PROBE_STRING = "__probe_string";

/**
 * Compiles a call.
 *
 * @throws {PrintFmtError} if the function cannot be rendered from an event's
 * bytes alone.
 */
export function callHelper(
  name: string,
  args: readonly Node[],
  scope: Scope,
  compile: Compile,
): Code {
  const value = (i: number): Code => {
    if (args[i] === undefined) {
      throw new PrintFmtError(`${name}() lacks argument ${i + 1}`);
    }
    return compile(args[i], scope);
  };
  const field = () => fieldArgument(name, args, scope);
  switch (name) {
    case "__get_str":
    case "__get_dynamic_array":
    case "__get_sockaddr":
      return place(CHAR, dataOffset(field().offset));
    case "__get_rel_str":
    case "__get_rel_dynamic_array":
    case "__get_rel_sockaddr":
      return place(CHAR, relativeOffset(field().offset));
    case PROBE_STRING:
      return probeString(field().offset);
    case "__get_stacktrace":
      return stackTrace(field().offset, scope);
    case "__get_dynamic_array_len":
    case "__get_rel_dynamic_array_len":
      return { type: INT, run: dataLength(field().offset) };
    case "__get_bitmask":
    case "__get_cpumask":
      return bitmask(dataOffset, field().offset, scope);
    case "__get_rel_bitmask":
    case "__get_rel_cpumask":
      return bitmask(relativeOffset, field().offset, scope);
    case "__print_flags":
    case "__print_flags_u64":
      return printFlags(value(0), args[1], args.slice(2), scope, compile);
    case "__print_symbolic":
    case "__print_symbolic_u64":
      return printSymbolic(value(0), args.slice(1), scope, compile);
    case "__print_hex":
      return printHex(value(0), value(1), scope.env.hexChunkSpace ?? true);
    case "__print_hex_str":
      return printHex(value(0), value(1), undefined);
    case "__print_array":
      return printArray(value(0), value(1), value(2));
    case "__print_dynamic_array": {
      const at = field().offset;
      const length = dataLength(at);
      const size = toInt(asInt(value(1)), INT);
      return printArray(
        place(CHAR, dataOffset(at)),
        {
          type: INT,
          run: (r) => Math.trunc(length(r) / (size.run(r) as number)),
        },
        size,
      );
    }
    case "__print_ns_to_secs":
      return over(toInt(asInt(value(0)), ULONG), ULONG, (v) => v / BILLION);
    case "__print_ns_without_secs":
      return over(toInt(asInt(value(0)), ULONG), UINT, (v) => v % BILLION);
    case "__print_hex_dump":
      return printHexDump(value, scope.env);
    case "__get_buf":
      // Room in the reader's own buffer: what it held before.
      throw new PrintFmtError(
        "__get_buf() is room for text that the kernel writes as it prints",
      );
    case "__builtin_constant_p":
      return constant(INT, 0);
    case "__builtin_expect":
    case "READ_ONCE":
    case "ERR_PTR":
    // Identities but in a paravirtualised Xen guest, which has no QEMU.
    case "pte_val":
    case "pmd_val":
    case "pud_val":
    case "p4d_val":
    case "pgd_val":
    case "native_make_pte":
    case "native_make_pmd":
    case "native_make_pud":
    case "native_make_p4d":
    case "native_make_pgd":
      return value(0);
    case "ktime_to_ns":
      return toInt(asInt(value(0)), LONG);
    case "ktime_to_us":
    case "ktime_to_ms": {
      // Towards zero, as ktime_divns does.
      const unit = name === "ktime_to_us" ? 1000n : 1000000n;
      return over(toInt(asInt(value(0)), LONG), LONG, (v) => v / unit);
    }
    case "jiffies_to_msecs":
      return jiffiesToMsecs(toInt(asInt(value(0)), ULONG), scope);
    default:
      // Such as xhci_decode_trb(__get_buf(500), 500, ...): its words are code.
      if (args.some((arg) => arg.op === "call" && arg.name === "__get_buf")) {
        throw new PrintFmtError(
          `${name}() writes its text with code of the kernel`,
        );
      }
      return byteOrder(name, value);
  }
}

const CHAR: ExpressionType = { kind: "int", size: 1, signed: true };
const BILLION = 1000000000n;

function fieldArgument(name: string, args: readonly Node[], scope: Scope) {
  const node = args[0];
  const fieldName = node?.op === "name" || node?.op === "field"
    ? node.name
    : undefined;
  const found = fieldName === undefined
    ? undefined
    : scope.fields.get(fieldName);
  if (found === undefined) {
    throw new PrintFmtError(`${name}() does not name a field of the event`);
  }
  return found;
}

function place(to: ExpressionType, run: (record: RecordBytes) => number): Code {
  return { type: { kind: "record", to, stride: 1 }, run };
}

function dataOffset(at: number) {
  return (record: RecordBytes) => record.u32(at) & 0xffff;
}

function relativeOffset(at: number) {
  return (record: RecordBytes) => at + 4 + (record.u32(at) & 0xffff);
}

function dataLength(at: number) {
  return (record: RecordBytes) => record.u32(at) >>> 16;
}

/** kernel/trace/trace_probe.c, PRINT_TYPE_FUNC_NAME(string). */
function probeString(at: number): Code {
  const start = dataOffset(at);
  const length = dataLength(at);
  return {
    type: TEXT_TYPE,
    run: (r) => length(r) === 0 ? "(fault)" : `"${r.string(start(r))}"`,
  };
}

/**
 * A stack in a synthetic event (kernel/trace/trace_events_synth.c,
 * print_synth_event): its first word is their number.
 */
function stackTrace(at: number, { env }: Scope): Code {
  const start = dataOffset(at);
  const length = dataLength(at);
  return {
    type: TEXT_TYPE,
    run: (record) => {
      const first = start(record);
      const end = first + Math.min(length(record), record.size);
      let text = "STACK:\n";
      for (let from = first + 8; from + 8 <= end; from += 8) {
        const name = env.symbols.pS(record.u32(from), record.u32(from + 4));
        text += `=> ${name}\n`;
      }
      return text;
    },
  };
}

function bitmask(
  offset: (at: number) => (record: RecordBytes) => number,
  at: number,
  scope: Scope,
): Code {
  const start = offset(at);
  const length = dataLength(at);
  const write = scope.env.bitmaskList === true ? bitmapList : bitmap;
  return {
    type: TEXT_TYPE,
    run: (record) => {
      const first = start(record);
      const total = Math.min(length(record), record.size);
      return write((i) => record.u8(first + i), total * 8);
    },
  };
}

/**
 * @param gap whether there is a space between chunks; `undefined`: no spaces at
 * all
 */
function printHex(buf: Code, count: Code, gap: boolean | undefined): Code {
  const start = startOf(buf, "__print_hex");
  const length = toInt(asInt(count), INT).run;
  const ext = gap === undefined ? "hN" : "h";
  return {
    type: TEXT_TYPE,
    run: (record) => {
      const first = start(record);
      const total = Math.min(length(record) as number, record.size);
      let text = "";
      for (let i = 0; i < total; i += 16) {
        if (i > 0 && gap === true) text += " ";
        const chunk = Math.min(total - i, 16);
        text += hexBytes((k) => record.u8(first + i + k), chunk, ext);
      }
      return text;
    },
  };
}

function printArray(array: Code, count: Code, elementSize: Code): Code {
  const start = startOf(array, "__print_array");
  const length = toInt(asInt(count), INT).run;
  const size = Number(elementSize.constant ?? 0);
  if (size !== 1 && size !== 2 && size !== 4 && size !== 8) {
    throw new PrintFmtError(`__print_array() has elements of ${size} bytes`);
  }
  return {
    type: TEXT_TYPE,
    run: (record) => {
      const first = start(record);
      const most = Math.floor(record.size / size);
      const total = Math.min(length(record) as number, most);
      const items: string[] = [];
      for (let i = 0; i < total; i++) {
        const at = first + i * size;
        const item = size === 1
          ? record.u8(at)
          : size === 2
          ? record.u16(at)
          : size === 4
          ? record.u32(at)
          : record.u64(at);
        items.push("0x" + item.toString(16));
      }
      return `{${items.join(",")}}`;
    },
  };
}

function over(
  code: Code,
  type: typeof ULONG,
  operation: (value: bigint) => bigint,
): Code {
  const run = code.run as (record: RecordBytes) => bigint;
  return computed(type, [code], (r) => wrap(type, operation(run(r))));
}

function jiffiesToMsecs(code: Code, scope: Scope): Code {
  const hz = scope.env.hz;
  if (hz === undefined || 1000 % hz !== 0) {
    throw new PrintFmtError("jiffies_to_msecs() needs the kernel's HZ");
  }
  return over(code, UINT, (value) => value * BigInt(1000 / hz));
}

/**
 * `be16_to_cpu`, `__le32_to_cpu`, `ntohs`, `htonl`, `__builtin_bswap32`; with a
 * `p` at the end, of what the argument points to: `be32_to_cpup`.
 */
function byteOrder(name: string, value: (i: number) => Code): Code {
  const match = /^(?:__)?(be|le|cpu_to_be|cpu_to_le)(16|32|64)(?:_to_cpu)?p?$/
    .exec(name);
  const network = /^(?:__)?(ntoh|hton)([sl])$/.exec(name);
  const swap = /^(?:__builtin_bswap|__swab|__fswab|___constant_swab)(16|32|64)$/
    .exec(name);
  const bits = Number(
    match?.[2] ?? swap?.[1] ??
      (network === null ? 0 : network[2] === "s" ? 16 : 32),
  );
  if (bits === 0) {
    throw new PrintFmtError(`${name}() is a function of the kernel`);
  }
  const type = { kind: "int", size: bits / 8, signed: false } as const;
  let of = value(0);
  if (match !== null && name.endsWith("p")) {
    startOf(of, name);
    of = load(type as typeof ULONG, of);
  }
  const code = toInt(asInt(of), type as typeof ULONG);
  if (match?.[1].endsWith("le")) return code;
  return over(
    toInt(code, ULONG),
    type as typeof ULONG,
    (v) => swapped(v, bits / 8),
  );
}

function swapped(value: bigint, bytes: number): bigint {
  let result = 0n;
  for (let i = 0; i < bytes; i++) {
    result = result << 8n | value & 0xffn;
    value >>= 8n;
  }
  return result;
}
