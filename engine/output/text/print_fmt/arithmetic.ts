/**
 * C's binary operators on values of a common type.
 *
 * @module
 */

import type { RecordBytes } from "../record.ts";
import type { Value } from "./code.ts";
import type { IntegerType } from "./ctype.ts";
import { PrintFmtError } from "./lexer.ts";

type Run = (record: RecordBytes) => Value;

/** Whether an operator is a comparison, whose result is an int. */
export function comparison(sign: string): boolean {
  return /^([<>]=?|[=!]=)$/.test(sign);
}

/**
 * A closure for `left sign right`, both of which have the type `type`. Dividing
 * by zero gives 0, since an event may contain any bytes.
 *
 * @throws {PrintFmtError} if `sign` is not a binary operator.
 */
export function arithmetic(
  sign: string,
  type: IntegerType,
  left: Run,
  right: Run,
): Run {
  return type.size === 8
    ? wide(sign, type.signed, left, right)
    : narrow(sign, type.signed, left, right);
}

function narrow(sign: string, signed: boolean, left: Run, right: Run): Run {
  const a = left as (record: RecordBytes) => number;
  const b = right as (record: RecordBytes) => number;
  const fit = signed
    ? (value: number) => value | 0
    : (value: number) => value >>> 0;
  switch (sign) {
    case "+":
      return (r) => fit(a(r) + b(r));
    case "-":
      return (r) => fit(a(r) - b(r));
    case "*":
      return (r) => fit(Math.imul(a(r), b(r)));
    case "/":
      return (r) => fit(Math.trunc(a(r) / b(r)));
    case "%":
      return (r) => fit(a(r) % b(r));
    case "&":
      return (r) => fit(a(r) & b(r));
    case "|":
      return (r) => fit(a(r) | b(r));
    case "^":
      return (r) => fit(a(r) ^ b(r));
    case "<<":
      return (r) => fit(a(r) << b(r));
    case ">>":
      return signed ? (r) => a(r) >> b(r) : (r) => a(r) >>> b(r);
    default:
      return compare(sign, left, right);
  }
}

function wide(sign: string, signed: boolean, left: Run, right: Run): Run {
  const a = left as (record: RecordBytes) => bigint;
  const b = right as (record: RecordBytes) => bigint;
  const fit = signed
    ? (value: bigint) => BigInt.asIntN(64, value)
    : (value: bigint) => BigInt.asUintN(64, value);
  // The count of a shift is an int, regardless of the shifted type.
  const count = right as (record: RecordBytes) => number;
  switch (sign) {
    case "+":
      return (r) => fit(a(r) + b(r));
    case "-":
      return (r) => fit(a(r) - b(r));
    case "*":
      return (r) => fit(a(r) * b(r));
    case "/":
      return (r) => {
        const divisor = b(r);
        return divisor === 0n ? 0n : fit(a(r) / divisor);
      };
    case "%":
      return (r) => {
        const divisor = b(r);
        return divisor === 0n ? 0n : fit(a(r) % divisor);
      };
    case "&":
      return (r) => fit(a(r) & b(r));
    case "|":
      return (r) => fit(a(r) | b(r));
    case "^":
      return (r) => fit(a(r) ^ b(r));
    case "<<":
      return (r) => fit(a(r) << BigInt(count(r) & 63));
    case ">>":
      return (r) => a(r) >> BigInt(count(r) & 63);
    default:
      return compare(sign, left, right);
  }
}

function compare(sign: string, a: Run, b: Run): Run {
  switch (sign) {
    case "==":
      return (r) => a(r) === b(r) ? 1 : 0;
    case "!=":
      return (r) => a(r) !== b(r) ? 1 : 0;
    case "<":
      return (r) => a(r) < b(r) ? 1 : 0;
    case ">":
      return (r) => a(r) > b(r) ? 1 : 0;
    case "<=":
      return (r) => a(r) <= b(r) ? 1 : 0;
    case ">=":
      return (r) => a(r) >= b(r) ? 1 : 0;
    default:
      throw new PrintFmtError(`"${sign}" is no operator of a print_fmt`);
  }
}
