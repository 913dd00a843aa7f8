/**
 * Parses the arguments of a `print fmt` as libtraceevent understands them
 * (event-parse.c): C expressions over the fields of an event. Where it departs
 * from C, by the order in which it applies operators, so does this, since the
 * text is to be the same.
 *
 * @module
 */
import type { DatEvent, DatField } from "../../tracedat/format_file.ts";
import {
  FUNCTIONS,
  type NamedValue,
  type OpArg,
  type PrintArg,
} from "./print_arg.ts";
import { constantText, folded } from "./print_constants.ts";
import {
  END,
  type PrintToken,
  PrintTokens,
  type TokenType,
  UnreadableFormat,
} from "./print_tokens.ts";

/** Nested expressions. */
const MOST_DEPTH = 64;

const PRIORITIES: Readonly<Record<string, number>> = {
  "~": 4,
  "!": 4,
  "*": 6,
  "/": 6,
  "%": 6,
  "+": 7,
  "-": 7,
  ">>": 8,
  "<<": 8,
  "<": 9,
  ">": 9,
  "<=": 9,
  ">=": 9,
  "==": 10,
  "!=": 10,
  "&": 11,
  "^": 12,
  "|": 13,
  "&&": 14,
  "||": 15,
  "?": 16,
  "++": 3,
  "--": 3,
};
const UNARY = new Set(["~", "!", "+", "-"]);

function priority(op: string): number {
  return PRIORITIES[op] ?? -1;
}

/** What a `print fmt` consists of. */
export interface FormatAndArgs {
  /** The format, with its escapes as written. */
  readonly format: string;
  readonly args: readonly PrintArg[];
}

/**
 * Parses a `print fmt`.
 *
 * @param longSize bytes of the guest kernel's `long`
 * @throws {UnreadableFormat} when libtraceevent would not understand it either
 */
export function parseFormatArgs(
  event: DatEvent,
  longSize: number,
): FormatAndArgs {
  return new Parser(event, longSize).whole();
}

class Parser {
  readonly #event: DatEvent;
  readonly #tokens: PrintTokens;
  #depth = 0;
  #token: PrintToken = END;
  /** Whether the parenthesis of `(REC)->x` was read. */
  #closedField = false;
  readonly #longSize: number;

  constructor(event: DatEvent, longSize: number) {
    this.#event = event;
    this.#longSize = longSize;
    this.#tokens = new PrintTokens(event.printFmt);
  }

  whole(): FormatAndArgs {
    this.#next();
    if (this.#token.type !== "string") throw new UnreadableFormat("no format");
    let format = this.#token.text;
    this.#next();
    while (this.#token.type === "string") {
      format += this.#token.text;
      this.#next();
    }
    const args: PrintArg[] = [];
    if (this.#token.type === "end") return { format, args };
    this.#expect("delim", ",");
    for (;;) {
      let arg = this.#arg();
      if (this.#token.type === "op") {
        arg = folded(this.#operators(arg));
        args.push(arg);
        // Whatever follows an expression is taken for the comma.
        if (this.#token.type === "end") break;
        this.#next();
        if (this.#token.type === "end") break;
        continue;
      }
      args.push(arg);
      if (this.#token.text !== "," || this.#token.type !== "delim") break;
      this.#next();
    }
    return { format, args };
  }

  /** An argument without the operators behind it; begins at the token. */
  #arg(): PrintArg {
    if (++this.#depth > MOST_DEPTH) {
      throw new UnreadableFormat("nested too deep");
    }
    try {
      return this.#argument();
    } finally {
      this.#depth--;
    }
  }

  #argument(): PrintArg {
    const { type, text } = this.#token;
    switch (type) {
      case "item":
        return this.#item(text);
      case "string":
      case "char":
        this.#next();
        return { kind: "atom", text };
      case "delim":
        if (text === "(") {
          this.#next();
          return this.#paren();
        }
        break;
      case "op":
        if (UNARY.has(text)) {
          this.#next();
          return this.#after({
            kind: "op",
            op: text,
            left: { kind: "none" },
            right: this.#arg(),
            prio: 0,
          });
        }
    }
    throw new UnreadableFormat(`unexpected ${text}`);
  }

  #item(first: string): PrintArg {
    this.#next();
    if (first === "REC") return this.#field();
    if (this.#is("delim", "(")) {
      this.#next();
      return this.#function(first);
    }
    let text = first;
    while (this.#token.type === "item") {
      text += ` ${this.#token.text}`;
      this.#next();
    }
    return { kind: "atom", text };
  }

  #field(): PrintArg {
    // `(REC)->x` is written by some events.
    if (this.#is("delim", ")")) {
      this.#closedField = true;
      this.#next();
    }
    this.#expect("op", "->");
    return { kind: "field", name: this.#name() };
  }

  /** What follows an open parenthesis: a cast, or an expression. */
  #paren(): PrintArg {
    let inner = this.#arg();
    if (this.#closedField) {
      this.#closedField = false;
      return inner;
    }
    if (this.#token.type === "op") inner = this.#operators(inner);
    this.#expect("delim", ")");
    const { type, text } = this.#token;
    const isItem = type === "item" || type === "string" || type === "char";
    if (!isItem && !(type === "delim" && text === "(")) return inner;
    if (inner.kind !== "atom") throw new UnreadableFormat("no type in a cast");
    return { kind: "cast", type: inner.text, item: this.#arg() };
  }

  /** The operators behind an argument. */
  #operators(arg: PrintArg): PrintArg {
    if (++this.#depth > MOST_DEPTH) {
      throw new UnreadableFormat("nested too deep");
    }
    try {
      return this.#operator(arg);
    } finally {
      this.#depth--;
    }
  }

  #operator(left: PrintArg): PrintArg {
    const op = this.#token.text;
    if (op === "?") {
      this.#next();
      return this.#after({
        kind: "op",
        op,
        left,
        right: this.#alternatives(),
        prio: 0,
      });
    }
    if (op === "[") {
      this.#next();
      const index = this.#arg();
      this.#expect("op", "]");
      return this.#after({ kind: "op", op, left, right: index, prio: 0 });
    }
    const prio = priority(op);
    if (prio < 6) {
      throw new UnreadableFormat(`unknown operator ${op}`);
    }
    this.#next();
    if (op === "*" && this.#is("delim", ")")) {
      if (left.kind !== "atom") throw new UnreadableFormat("no pointer type");
      return { kind: "atom", text: `${left.text} *` };
    }
    const right = this.#arg();
    const node: OpArg = { kind: "op", op, left, right, prio };
    if (right.kind === "op" && prio < priority(right.op)) {
      // An operand that binds less is turned around, even from parentheses.
      node.right = right.left;
      right.left = node;
      return this.#after(right, node);
    }
    return this.#after(node);
  }

  /**
   * What follows an operator and its operands.
   *
   * @param below the operand that stronger operators apply to
   */
  #after(node: OpArg, below?: PrintArg): PrintArg {
    const { type, text } = this.#token;
    if (type !== "op" || text === ":" || text === "]" || text === "}") {
      return node;
    }
    if (priority(text) > node.prio) return this.#operators(node);
    const right = below ?? node.right;
    if (below !== undefined) {
      node.left = this.#operators(right);
      return node;
    }
    node.right = this.#operators(right);
    return node;
  }

  /** `b : c` of `a ? b : c`. */
  #alternatives(): PrintArg {
    let left = this.#arg();
    while (this.#token.type === "op" && this.#token.text !== ":") {
      left = this.#operators(left);
    }
    this.#expect("op", ":");
    return { kind: "op", op: ":", left, right: this.#arg(), prio: 0 };
  }

  /** An argument with its operators, up to a delimiter, which is read. */
  #operand(delimiter: string): PrintArg {
    let arg = this.#arg();
    if (this.#token.type === "op") arg = folded(this.#operators(arg));
    this.#expect("delim", delimiter);
    return arg;
  }

  #function(name: string): PrintArg {
    switch (name) {
      case "__print_flags": {
        const value = this.#value();
        let delimiter = "";
        if (this.#token.type !== "delim") {
          delimiter = this.#token.text;
          this.#next();
        }
        this.#expect("delim", ",");
        const names = this.#names();
        return { kind: "flags", value, delimiter, names };
      }
      case "__print_symbolic": {
        const value = this.#value();
        return { kind: "symbol", value, names: this.#names() };
      }
      case "__print_hex":
      case "__print_hex_str": {
        const value = this.#operand(",");
        const size = this.#operand(")");
        return { kind: "hex", value, size, spaces: name === "__print_hex" };
      }
      case "__print_array": {
        const value = this.#operand(",");
        const count = this.#operand(",");
        return { kind: "array", value, count, size: this.#operand(")") };
      }
      case "__get_str":
      case "__get_rel_str":
        return { kind: "string", name: this.#nameInParens() };
      case "__get_bitmask":
      case "__get_rel_bitmask":
        return { kind: "bitmask", name: this.#nameInParens() };
      case "__get_cpumask":
      case "__get_rel_cpumask":
        return { kind: "cpumask", name: this.#nameInParens() };
      case "__get_dynamic_array":
      case "__get_rel_dynamic_array":
      case "__get_sockaddr":
      case "__get_sockaddr_rel":
        return { kind: "dynamic", field: this.#ownField() };
      case "__get_dynamic_array_len":
      case "__get_rel_dynamic_array_len":
        return { kind: "dynamicLength", field: this.#ownField() };
      case "__builtin_expect": {
        const value = this.#arg();
        this.#expect("delim", ",");
        this.#next();
        this.#expect("delim", ")");
        return value;
      }
      case "sizeof":
        return this.#sizeof();
    }
    const count = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
    if (count === undefined) {
      throw new UnreadableFormat(`unknown function ${name}`);
    }
    const args: PrintArg[] = [];
    for (let i = 0; i < count; i++) {
      args.push(this.#arg());
      this.#expect("delim", i < count - 1 ? "," : ")");
    }
    return { kind: "call", name, args };
  }

  /** The first argument of a list of names, up to its comma. */
  #value(): PrintArg {
    let arg = this.#arg();
    while (this.#token.type === "op") arg = this.#operators(arg);
    this.#expect("delim", ",");
    return arg;
  }

  /** `{ 1, "name" }, ...)`, up to the closing parenthesis. */
  #names(): NamedValue[] {
    const names: NamedValue[] = [];
    while (this.#is("op", "{")) {
      this.#next();
      let value = this.#arg();
      if (this.#token.type === "op") value = this.#operators(value);
      this.#expect("delim", ",");
      const name = this.#arg();
      this.#expect("op", "}");
      names.push({ value: constantText(value), name: constantText(name) });
      if (!this.#is("delim", ",")) break;
      this.#next();
    }
    this.#expect("delim", ")");
    return names;
  }

  #sizeof(): PrintArg {
    let text = "";
    for (let i = 0; i < 8 && !this.#is("delim", ")"); i++) {
      text += `${text === "" ? "" : " "}${this.#token.text}`;
      this.#next();
    }
    this.#expect("delim", ")");
    const field = /^REC -> (\w+)$/.exec(text)?.[1];
    const found = field === undefined ? undefined : this.#find(field);
    const size = found !== undefined && !found.array
      ? found.size
      : /^(?:unsigned )?long long$/.test(text)
      ? 8
      : /^(?:unsigned )?long$/.test(text)
      ? this.#longSize
      : /^(?:unsigned|unsigned int|int)$/.test(text)
      ? 4
      : NaN;
    if (size !== size) throw new UnreadableFormat(`unknown size of ${text}`);
    return { kind: "atom", text: String(size) };
  }

  #find(name: string): DatField | undefined {
    const { common, fields } = this.#event;
    return common.find((field) => field.name === name) ??
      fields.find((field) => field.name === name);
  }

  #ownField(): DatField {
    const name = this.#nameInParens();
    const found = this.#event.fields.find((field) => field.name === name);
    if (found === undefined) throw new UnreadableFormat(`no field ${name}`);
    return found;
  }

  #nameInParens(): string {
    const name = this.#name();
    this.#expect("delim", ")");
    return name;
  }

  #name(): string {
    const { type, text } = this.#token;
    if (type !== "item") throw new UnreadableFormat(`no name, but ${text}`);
    this.#next();
    return text;
  }

  #is(type: TokenType, text: string): boolean {
    return this.#token.type === type && this.#token.text === text;
  }

  #expect(type: TokenType, text: string): void {
    if (!this.#is(type, text)) {
      throw new UnreadableFormat(`${this.#token.text} instead of ${text}`);
    }
    this.#next();
  }

  #next(): void {
    this.#token = this.#tokens.next();
  }
}
