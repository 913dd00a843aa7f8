/**
 * Compiles print_fmt expressions to closures, with the arithmetic of C.
 *
 * @module
 */

import type { EventField } from "../../../ftrace/events/formats.ts";
import { RecordBytes } from "../record.ts";
import { arithmetic, comparison } from "./arithmetic.ts";
import {
  asInt,
  asTest,
  type Code,
  computed,
  constant,
  fieldCode,
  fieldType,
  load,
  type Scope,
  sizeOfType,
  toInt,
  wrap,
} from "./code.ts";
import {
  common,
  type ExpressionType,
  type GuestPointer,
  INT,
  LONG,
  promoted,
  QUALIFIERS,
  TEXT_TYPE,
  typeOfWords,
  UINT,
  ULONG,
} from "./ctype.ts";
import { callHelper } from "./helpers.ts";
import { PrintFmtError } from "./lexer.ts";
import type { Node, TypeName } from "./parser.ts";
import { textOf } from "./text_value.ts";

/** Passed instead of a record if the value does not depend on it. */
const NOTHING = new RecordBytes();

/**
 * Compiles an expression.
 *
 * @throws {PrintFmtError} when it needs something that an event's bytes do not
 * contain: a kernel function, a structure behind a pointer, an unknown name.
 */
export function compileExpression(node: Node, scope: Scope): Code {
  switch (node.op) {
    case "number":
      return number(node.value, node.suffix);
    case "string":
      return constant(TEXT_TYPE, node.text);
    case "name":
      return name(node.name, scope);
    case "field":
      return fieldCode(field(node.name, scope));
    case "call":
      return call(node.name, node.args, scope);
    case "unary":
      return unary(node.sign, node.of, scope);
    case "binary":
      return binary(node.sign, node.left, node.right, scope);
    case "choose":
      return choose(node.test, node.then, node.otherwise, scope);
    case "cast":
      return cast(node.to, compileExpression(node.of, scope), scope);
    case "index":
      return index(
        compileExpression(node.of, scope),
        compileExpression(node.at, scope),
      );
    case "sizeof":
      return constant(ULONG, BigInt(typeSize(node.type, scope)));
    case "member":
      // __entry->ent.pid, as vmscan's events have it.
      if (node.of.op === "field" && node.of.name === "ent" && !node.arrow) {
        return fieldCode(field(`common_${node.name}`, scope));
      }
      throw new PrintFmtError(`the layout that has "${node.name}" is unknown`);
    case "braces":
      throw new PrintFmtError("braces stand where a value should");
  }
}

function number(value: bigint, suffix: string): Code {
  const long = suffix.includes("l");
  const unsigned = suffix.includes("u");
  if (!long && value <= 0x7fffffffn && !unsigned) {
    return constant(INT, Number(value));
  }
  if (!long && value <= 0xffffffffn) {
    // In C, a decimal that does not fit an int is a long, and a hexadecimal one
    // is unsigned. print_fmt contains both; their values are the same.
    return constant(UINT, Number(value));
  }
  const type = unsigned || value > 0x7fffffffffffffffn ? ULONG : LONG;
  return constant(type, wrap(type, value));
}

/**
 * The fields that every event has (struct trace_entry), which its own list of
 * fields leaves out. Layouts other than this one are refused when the kernel's
 * types are read.
 */
const COMMON: ReadonlyMap<string, EventField> = new Map(
  [
    ["common_type", "unsigned short", 0, 2, false],
    ["common_flags", "unsigned char", 2, 1, false],
    ["common_preempt_count", "unsigned char", 3, 1, false],
    ["common_pid", "int", 4, 4, true],
  ].map(([name, type, offset, size, signed]) =>
    [name, { name, type, offset, size, signed } as EventField] as [
      string,
      EventField,
    ]
  ),
);

function field(fieldName: string, scope: Scope) {
  const bare = fieldName.replace(/^__(data|rel)_loc_/, "");
  const found = scope.fields.get(fieldName) ?? scope.fields.get(bare) ??
    COMMON.get(fieldName);
  if (found === undefined) {
    throw new PrintFmtError(`the event has no field "${fieldName}"`);
  }
  return found;
}

function name(text: string, scope: Scope): Code {
  if (text === "REC") {
    return {
      type: { kind: "record", to: undefined, stride: 1 },
      constant: 0,
      run: () => 0,
    };
  }
  if (text === "true" || text === "false") {
    return constant(INT, text === "true" ? 1 : 0);
  }
  if (text === "NULL") {
    return constant({ kind: "kernel", to: undefined, stride: 1 }, 0n);
  }
  const value = scope.env.enumerator?.(text);
  if (value === undefined) {
    if (scope.env.variable?.(text) === undefined) {
      throw new PrintFmtError(`"${text}" is not known`);
    }
    // Read again for each event, since some variables change, such as jiffies.
    return { type: ULONG, run: () => scope.env.variable?.(text) ?? 0n };
  }
  return number(BigInt.asUintN(64, BigInt(value)), value < 0 ? "l" : "");
}

function call(callee: string, args: readonly Node[], scope: Scope): Code {
  if (callee === "sizeof") {
    const type = typeOf(args[0], scope);
    const size = type.kind === "record" && type.length !== undefined
      ? type.length
      : sizeOfType(type);
    return constant(ULONG, BigInt(size));
  }
  return callHelper(callee, args, scope, compileExpression);
}

function typeOf(node: Node, scope: Scope): ExpressionType {
  if (node.op === "field") return fieldType(field(node.name, scope));
  return compileExpression(node, scope).type;
}

function unary(sign: string, of: Node, scope: Scope): Code {
  if (sign === "&") {
    if (of.op === "field") {
      const found = field(of.name, scope);
      const type = fieldType(found);
      const to = type.kind === "record" ? type.to : type;
      return {
        type: {
          kind: "record",
          to,
          stride: found.size || 1,
          length: found.size,
        },
        constant: found.offset,
        run: () => found.offset,
      };
    }
    if (of.op === "index") {
      return add(
        compileExpression(of.of, scope),
        compileExpression(of.at, scope),
        1,
      );
    }
    throw new PrintFmtError("the address of a value is asked for");
  }
  const code = compileExpression(of, scope);
  if (sign === "*") return dereference(code);
  if (sign === "!") {
    const test = asTest(code);
    return computed(INT, [code], (record) => test(record) ? 0 : 1);
  }
  const operand = asInt(code);
  const type = promoted(operand.type);
  const converted = toInt(operand, type);
  if (sign === "+") return converted;
  const run = converted.run;
  return computed(type, [converted], (record) => {
    const value = run(record);
    if (typeof value === "bigint") {
      return wrap(type, sign === "-" ? -value : ~value);
    }
    return wrap(type, sign === "-" ? -Number(value) : ~Number(value));
  });
}

function dereference(code: Code): Code {
  if (code.type.kind !== "record" || code.type.to === undefined) {
    throw new PrintFmtError("what a kernel pointer points to is not recorded");
  }
  return load(code.type.to, code);
}

function index(array: Code, at: Code): Code {
  return dereference(add(array, at, 1));
}

function binary(sign: string, a: Node, b: Node, scope: Scope): Code {
  const left = compileExpression(a, scope);
  const right = compileExpression(b, scope);
  if (sign === "&&" || sign === "||") {
    const first = asTest(left);
    const second = asTest(right);
    return computed(
      INT,
      [left, right],
      sign === "&&"
        ? (record) => first(record) && second(record) ? 1 : 0
        : (record) => first(record) || second(record) ? 1 : 0,
    );
  }
  if (sign === "+" || sign === "-") {
    if (isPointer(left) && right.type.kind === "int") {
      return add(left, right, sign === "+" ? 1 : -1);
    }
    if (isPointer(right) && left.type.kind === "int" && sign === "+") {
      return add(right, left, 1);
    }
  }
  if (comparison(sign) && neverNull(left, right)) {
    // A record pointer that is compared with NULL.
    return constant(INT, sign === "!=" ? 1 : 0);
  }
  const x = asInt(left);
  const y = asInt(right);
  if (sign === "<<" || sign === ">>") {
    const type = promoted(x.type);
    return computed(
      type,
      [x, y],
      arithmetic(sign, type, toInt(x, type).run, toInt(y, INT).run),
    );
  }
  const type = common(x.type, y.type);
  return computed(
    comparison(sign) ? INT : type,
    [x, y],
    arithmetic(sign, type, toInt(x, type).run, toInt(y, type).run),
  );
}

function isPointer(code: Code): boolean {
  return code.type.kind === "record" || code.type.kind === "kernel";
}

function neverNull(left: Code, right: Code): boolean {
  const isPlace = (code: Code) =>
    code.type.kind === "record" || code.type.kind === "text";
  const isNull = (code: Code) => code.constant === 0 || code.constant === 0n;
  return isPlace(left) && isNull(right) || isPlace(right) && isNull(left);
}

/** Pointer arithmetic: moves a pointer by `count` elements. */
function add(pointer: Code, count: Code, sign: 1 | -1): Code {
  if (pointer.type.kind === "int" && count.type.kind === "record") {
    return add(count, pointer, sign);
  }
  if (pointer.type.kind !== "record" && pointer.type.kind !== "kernel") {
    throw new PrintFmtError("a place is counted from what is no pointer");
  }
  const { to, stride } = pointer.type;
  if (stride === 0) {
    throw new PrintFmtError("the size of what a pointer points to is unknown");
  }
  if (pointer.type.kind === "kernel") {
    return addToAddress(pointer, count, sign, { kind: "kernel", to, stride });
  }
  const steps = toInt(asInt(count), INT);
  const type: ExpressionType = { kind: "record", to, stride };
  const start = pointer.run;
  const run = steps.run;
  return computed(
    type,
    [pointer, steps],
    (record) =>
      (start(record) as number) + sign * stride * (run(record) as number),
  );
}

function addToAddress(
  pointer: Code,
  count: Code,
  sign: 1 | -1,
  type: GuestPointer,
): Code {
  const steps = toInt(asInt(count), LONG);
  const scale = BigInt(sign * type.stride);
  const start = pointer.run;
  const run = steps.run;
  return computed(
    type,
    [pointer, steps],
    (record) =>
      wrap(
        ULONG,
        (start(record) as bigint) + scale * (run(record) as bigint),
      ),
  );
}

function choose(
  testNode: Node,
  thenNode: Node | undefined,
  otherwiseNode: Node,
  scope: Scope,
): Code {
  const tested = compileExpression(testNode, scope);
  let then = thenNode === undefined
    ? tested
    : compileExpression(thenNode, scope);
  let otherwise = compileExpression(otherwiseNode, scope);
  const test = asTest(tested);
  let type: ExpressionType;
  if (then.type.kind === "int" && otherwise.type.kind === "int") {
    type = common(then.type, otherwise.type);
    then = toInt(then, type);
    otherwise = toInt(otherwise, type);
  } else if (then.type.kind === otherwise.type.kind) {
    type = then.type;
  } else {
    // One side is a string, and the other can be printed as one.
    type = TEXT_TYPE;
    then = textOf(then, scope.env);
    otherwise = textOf(otherwise, scope.env);
  }
  const yes = then.run;
  const no = otherwise.run;
  if (tested.constant !== undefined) {
    return { ...(test(NOTHING) ? then : otherwise), type };
  }
  return { type, run: (record) => test(record) ? yes(record) : no(record) };
}

function cast(to: TypeName, code: Code, scope: Scope): Code {
  if (to.stars > 0) return pointerCast(to, code, scope);
  const type = typeOfWords(to.words);
  if (type === undefined) {
    // A cast to an unknown typedef leaves the value as it is.
    if (/^(void|struct|union)$/.test(to.words[0] ?? "")) {
      throw new PrintFmtError(`a cast to ${to.words.join(" ")} gives no value`);
    }
    return code;
  }
  return toInt(asInt(code), type);
}

function pointerCast(to: TypeName, code: Code, scope: Scope): Code {
  const pointed = to.stars > 1 ? ULONG : typeOfWords(to.words);
  const stride = pointed?.size ?? pointedSize(to, scope);
  switch (code.type.kind) {
    case "record":
      return { ...code, type: { kind: "record", to: pointed, stride } };
    case "text":
      return code;
    default: {
      const address = toInt(asInt(code), ULONG);
      return { ...address, type: { kind: "kernel", to: pointed, stride } };
    }
  }
}

function typeSize(type: TypeName, scope: Scope): number {
  if (type.stars > 0) return 8;
  const size = typeOfWords(type.words)?.size ?? structSize(type, scope);
  if (size === undefined) {
    throw new PrintFmtError(`the size of ${type.words.join(" ")} is unknown`);
  }
  return size;
}

/** Number of bytes by which incrementing a pointer moves it; 0 if unknown. */
function pointedSize(type: TypeName, scope: Scope): number {
  // GNU C: a void pointer moves by bytes.
  if (type.words.includes("void")) return 1;
  return structSize(type, scope) ?? 0;
}

function structSize(type: TypeName, scope: Scope): number | undefined {
  const plain = type.words.filter((word) => !QUALIFIERS.has(word));
  return STRUCT_SIZES[plain.join(" ")] ??
    (plain[0] === "struct" ? scope.env.structSize?.(plain[1]) : undefined);
}

/**
 * Structures of network protocols and of user space, whose size never changes.
 */
const STRUCT_SIZES: Readonly<Record<string, number | undefined>> = {
  "struct in6_addr": 16,
  "struct in_addr": 4,
  "struct sockaddr_in": 16,
  "struct sockaddr_in6": 28,
};
