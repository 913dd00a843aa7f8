/**
 * Parses a print_fmt: a format string and its arguments, C expressions over
 * `REC->field`.
 *
 * @module
 */

import { isTypeWord, QUALIFIERS } from "./ctype.ts";
import { PrintFmtError, type Token, tokenize } from "./lexer.ts";

/** The name of a type in a cast or sizeof. */
export interface TypeName {
  /** The words without asterisks: `["unsigned", "long"]`. */
  readonly words: readonly string[];
  /** Number of asterisks that follow. */
  readonly stars: number;
}

/** An expression. */
export type Node =
  | { readonly op: "number"; readonly value: bigint; readonly suffix: string }
  | { readonly op: "string"; readonly text: string }
  | { readonly op: "name"; readonly name: string }
  /** `REC->field` or `REC.field`. */
  | { readonly op: "field"; readonly name: string }
  | { readonly op: "call"; readonly name: string; readonly args: Node[] }
  | { readonly op: "unary"; readonly sign: string; readonly of: Node }
  | {
    readonly op: "binary";
    readonly sign: string;
    readonly left: Node;
    readonly right: Node;
  }
  | {
    readonly op: "choose";
    readonly test: Node;
    readonly then: Node | undefined;
    readonly otherwise: Node;
  }
  | { readonly op: "cast"; readonly to: TypeName; readonly of: Node }
  | { readonly op: "index"; readonly of: Node; readonly at: Node }
  | {
    readonly op: "member";
    readonly of: Node;
    readonly name: string;
    readonly arrow: boolean;
  }
  | { readonly op: "sizeof"; readonly type: TypeName }
  /** `{ value, "name" }`, or a list of them in braces. */
  | { readonly op: "braces"; readonly items: Node[] };

/** A parsed print_fmt. */
export interface ParsedPrintFmt {
  /** The format string, joined from its parts. */
  readonly format: string;
  readonly args: readonly Node[];
}

/**
 * Parses a print_fmt.
 *
 * @throws {PrintFmtError} if it is not a format string with arguments.
 */
export function parsePrintFmt(source: string): ParsedPrintFmt {
  return new Parser(tokenize(source)).printFmt();
}

/** Binary operators and their precedence. */
const BINDING: Readonly<Record<string, number>> = {
  "||": 1,
  "&&": 2,
  "|": 3,
  "^": 4,
  "&": 5,
  "==": 6,
  "!=": 6,
  "<": 7,
  ">": 7,
  "<=": 7,
  ">=": 7,
  "<<": 8,
  ">>": 8,
  "+": 9,
  "-": 9,
  "*": 10,
  "/": 10,
  "%": 10,
};
/**
 * Deeper nesting is refused, in order to limit recursion. Parentheses count
 * twice: as an expression and as its first operand.
 */
const DEEPEST = 400;
const TOO_DEEP = "the expression is nested too deeply";

class Parser {
  readonly #tokens: Token[];
  /** Of the innermost statement block. */
  #variables: ReadonlyMap<string, Node> = new Map();
  /** Whether the value of such a variable is being parsed. */
  #inValue = false;
  #at = 0;
  #depth = 0;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  printFmt(): ParsedPrintFmt {
    let format = "";
    if (this.#peek().kind !== "string") this.#fail("a format string");
    while (this.#peek().kind === "string") format += this.#take().text;
    const args: Node[] = [];
    while (this.#accept(",")) {
      if (this.#peek().kind === "end") break;
      args.push(this.#expression());
    }
    if (this.#peek().kind !== "end") this.#fail("a comma or the end");
    // Chains (`1 + 1 + ...`, `x[0][0]...`) are parsed in a loop, but compiled
    // by recursion.
    if (args.some((node) => isDeeper(node, DEEPEST))) {
      throw new PrintFmtError(TOO_DEEP);
    }
    return { format, args };
  }

  #expression(): Node {
    if (++this.#depth > DEEPEST) throw new PrintFmtError(TOO_DEEP);
    const node = this.#conditional();
    this.#depth--;
    return node;
  }

  #conditional(): Node {
    const test = this.#binary(0);
    if (!this.#accept("?")) return test;
    // GNU C: `a ?: b` is a if a is not 0.
    const then = this.#is(":") ? undefined : this.#expression();
    this.#expect(":");
    return { op: "choose", test, then, otherwise: this.#expression() };
  }

  #binary(least: number): Node {
    let left = this.#unary();
    while (true) {
      const token = this.#peek();
      const binding = token.kind === "punctuation"
        ? BINDING[token.text]
        : undefined;
      if (binding === undefined || binding <= least) return left;
      this.#take();
      left = {
        op: "binary",
        sign: token.text,
        left,
        right: this.#binary(binding),
      };
    }
  }

  #unary(): Node {
    if (++this.#depth > DEEPEST) throw new PrintFmtError(TOO_DEEP);
    const node = this.#signed();
    this.#depth--;
    return node;
  }

  #signed(): Node {
    const token = this.#peek();
    if (token.kind === "punctuation" && "!~-+*&".includes(token.text)) {
      this.#take();
      return { op: "unary", sign: token.text, of: this.#unary() };
    }
    if (this.#is("(") && this.#castFollows()) {
      this.#take();
      const to = this.#typeName();
      this.#expect(")");
      return { op: "cast", to, of: this.#unary() };
    }
    return this.#postfix(this.#primary());
  }

  #postfix(start: Node): Node {
    let node = start;
    while (true) {
      if (this.#accept("[")) {
        node = { op: "index", of: node, at: this.#expression() };
        this.#expect("]");
      } else if (this.#is("->") || this.#is(".")) {
        const arrow = this.#take().text === "->";
        const name = this.#name();
        node = node.op === "name" && node.name === "REC"
          ? { op: "field", name }
          : { op: "member", of: node, name, arrow };
      } else {
        return node;
      }
    }
  }

  #primary(): Node {
    const token = this.#take();
    switch (token.kind) {
      case "number":
        return { op: "number", value: token.value, suffix: token.suffix };
      case "string": {
        let text = token.text;
        while (this.#peek().kind === "string") text += this.#take().text;
        return { op: "string", text };
      }
      case "name":
        if (token.text === "sizeof") return this.#sizeof();
        if (this.#is("(")) return this.#call(token.text);
        return this.#variables.get(token.text) ??
          { op: "name", name: token.text };
      case "punctuation":
        if (token.text === "(") return this.#parenthesised();
        if (token.text === "{") return this.#braces();
    }
    this.#at--;
    return this.#fail("an operand");
  }

  #parenthesised(): Node {
    if (this.#is("{")) return this.#block();
    const node = this.#expression();
    this.#expect(")");
    return node;
  }

  /**
   * A statement expression of GNU C, as `min()` makes it: variables with their
   * values, then an expression: `({ int x = (a); int y = (b); x < y ? x : y; })`.
   * A variable stands for its value.
   */
  #block(): Node {
    this.#expect("{");
    // In a value, neither variables nor other blocks: they would multiply.
    if (this.#inValue) this.#fail("a value without a statement block");
    const outer = this.#variables;
    const own = new Map<string, Node>();
    for (
      let name = this.#declared();
      name !== undefined;
      name = this.#declared()
    ) {
      const to = this.#typeName();
      to.words.pop();
      this.#expect("=");
      this.#variables = new Map();
      this.#inValue = true;
      const of = this.#expression();
      this.#inValue = false;
      this.#variables = outer;
      this.#expect(";");
      own.set(name, { op: "cast", to, of });
    }
    this.#variables = own;
    const node = this.#expression();
    this.#variables = outer;
    this.#accept(";");
    this.#expect("}");
    this.#expect(")");
    return node;
  }

  /** The name of the variable that is declared next, if one is. */
  #declared(): string | undefined {
    let at = this.#at;
    let words = 0;
    while (this.#tokens[at].kind === "name" || this.#isAt(at, "*")) {
      if (this.#tokens[at].kind === "name") words++;
      at++;
    }
    const last = this.#tokens[at - 1];
    return words > 1 && this.#isAt(at, "=") && last?.kind === "name"
      ? last.text
      : undefined;
  }

  #call(name: string): Node {
    this.#expect("(");
    const args: Node[] = [];
    if (!this.#is(")")) {
      do {
        // Macros with empty variable arguments leave a trailing comma.
        if (this.#is(")")) break;
        args.push(this.#expression());
      } while (this.#accept(","));
    }
    this.#expect(")");
    return { op: "call", name, args };
  }

  #braces(): Node {
    const items: Node[] = [];
    if (!this.#is("}")) {
      do {
        if (this.#is("}")) break;
        items.push(this.#expression());
      } while (this.#accept(","));
    }
    this.#expect("}");
    return { op: "braces", items };
  }

  #sizeof(): Node {
    if (this.#is("(") && this.#castFollows(true)) {
      this.#take();
      const type = this.#typeName();
      this.#expect(")");
      return { op: "sizeof", type };
    }
    return { op: "call", name: "sizeof", args: [this.#unary()] };
  }

  /** Whether the next parenthesis contains a type. */
  #castFollows(inSizeof = false): boolean {
    let at = this.#at + 1;
    const first = this.#tokens[at];
    if (first.kind !== "name" || first.text === "REC") return false;
    const known = isTypeWord(first.text);
    while (this.#tokens[at].kind === "name") at++;
    const words = at - this.#at - 1;
    let stars = 0;
    while (this.#isAt(at, "*") || QUALIFIERS.has(this.#tokens[at].text)) {
      if (this.#isAt(at, "*")) stars++;
      at++;
    }
    if (!this.#isAt(at, ")")) return false;
    if (known || words > 1 || stars > 0 || inSizeof) return true;
    // `(unknown_t)x` is a cast, `(NAME) + 1` is not.
    const next = this.#tokens[at + 1];
    return next.kind === "name" || next.kind === "number" ||
      (next.kind === "punctuation" && next.text === "(");
  }

  #typeName(): { words: string[]; stars: number } {
    const words: string[] = [];
    let stars = 0;
    while (true) {
      const token = this.#peek();
      if (token.kind === "name") {
        this.#take();
        const word = token.text;
        if (stars === 0 || !QUALIFIERS.has(word)) words.push(word);
      } else if (this.#accept("*")) {
        stars++;
      } else {
        break;
      }
    }
    if (words.length === 0) this.#fail("a type");
    return { words, stars };
  }

  #name(): string {
    const token = this.#take();
    if (token.kind !== "name") {
      this.#at--;
      this.#fail("a name");
    }
    return token.text;
  }

  #peek(): Token {
    return this.#tokens[this.#at];
  }

  #take(): Token {
    const token = this.#tokens[this.#at];
    // The end token is never passed, so that reading on does not run past the
    // list.
    if (token.kind !== "end") this.#at++;
    return token;
  }

  #is(punctuation: string): boolean {
    return this.#isAt(this.#at, punctuation);
  }

  #isAt(at: number, punctuation: string): boolean {
    const token = this.#tokens[at];
    return token.kind === "punctuation" && token.text === punctuation;
  }

  #accept(punctuation: string): boolean {
    if (!this.#is(punctuation)) return false;
    this.#take();
    return true;
  }

  #expect(punctuation: string): void {
    if (!this.#accept(punctuation)) this.#fail(`"${punctuation}"`);
  }

  #fail(expected: string): never {
    const token = this.#peek();
    const found = token.kind === "end" ? "the end" : `"${token.text}"`;
    throw new PrintFmtError(
      `${expected} expected at ${token.at}, not ${found}`,
    );
  }
}

/** Whether a tree has more levels than that; without recursion. */
function isDeeper(root: Node, levels: number): boolean {
  let level: Node[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > levels) return true;
    level = level.flatMap(childrenOf);
  }
  return false;
}

function childrenOf(node: Node): Node[] {
  switch (node.op) {
    case "call":
      return node.args;
    case "braces":
      return node.items;
    case "unary":
    case "cast":
    case "member":
      return [node.of];
    case "binary":
      return [node.left, node.right];
    case "index":
      return [node.of, node.at];
    case "choose":
      return node.then === undefined
        ? [node.test, node.otherwise]
        : [node.test, node.then, node.otherwise];
    default:
      return [];
  }
}
