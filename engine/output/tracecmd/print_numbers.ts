/**
 * Numbers in a `print fmt` as libtraceevent calculates with them: all are
 * unsigned, and of 64 bits.
 *
 * @module
 */

/** A number as strtoull reads it: 0 for anything else. */
export function numberOfText(text: string): bigint {
  const found = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|\d+)/.exec(text.slice(0, 40));
  if (found === null) return 0n;
  const digits = found[2];
  const value = /^0\d/.test(digits)
    ? BigInt(`0o${/^0[0-7]*/.exec(digits)![0].slice(1) || "0"}`)
    : BigInt(digits);
  return BigInt.asUintN(64, found[1] === "-" ? -value : value);
}

/** An operator of two unsigned 64-bit numbers; undefined if it is none. */
export function operate(
  op: string,
  left: bigint,
  right: bigint,
): bigint | undefined {
  const wrap = (value: bigint) => BigInt.asUintN(64, value);
  const truth = (value: boolean) => value ? 1n : 0n;
  switch (op) {
    case "+":
      return wrap(left + right);
    case "-":
      return wrap(left - right);
    case "*":
      return wrap(left * right);
    case "/":
      return right === 0n ? 0n : left / right;
    case "%":
      return right === 0n ? 0n : left % right;
    case "&":
      return left & right;
    case "|":
      return left | right;
    case "^":
      return left ^ right;
    case "<<":
      return wrap(left << (right & 63n));
    case ">>":
      return left >> (right & 63n);
    case "<":
      return truth(left < right);
    case ">":
      return truth(left > right);
    case "<=":
      return truth(left <= right);
    case ">=":
      return truth(left >= right);
    case "==":
      return truth(left === right);
    case "!=":
      return truth(left !== right);
    case "&&":
      return truth(left !== 0n && right !== 0n);
    case "||":
      return truth(left !== 0n || right !== 0n);
    default:
      return undefined;
  }
}

/** A cast to a type: it only cuts off bits, and never extends a sign. */
export function castValue(value: bigint, type: string): bigint {
  const plain = type.startsWith("unsigned ") ? type.slice(9) : type;
  switch (plain) {
    case "u8":
    case "s8":
    case "char":
      return value & 0xffn;
    case "u16":
    case "s16":
    case "short":
      return value & 0xffffn;
    case "u32":
    case "s32":
    case "int":
      return value & 0xffffffffn;
    default:
      return value;
  }
}
