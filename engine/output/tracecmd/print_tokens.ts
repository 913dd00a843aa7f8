/**
 * The words of a `print fmt`.
 *
 * @module
 */

/** The text is not one that libtraceevent understands. */
export class UnreadableFormat extends Error {}

/** Kinds of words. */
export type TokenType = "item" | "op" | "delim" | "string" | "char" | "end";

/** A word of a `print fmt`. */
export interface PrintToken {
  readonly type: TokenType;
  readonly text: string;
}

/** There are no more. */
export const END: PrintToken = { type: "end", text: "" };

/** Words at most; the text is the guest's. */
const MOST_TOKENS = 20_000;

const LEFT_OVER: ReadonlyMap<string, string> = new Map([
  ["LOCAL_PR_FMT", "%s"],
  ["STA_PR_FMT", " sta:%pM"],
  ["VIF_PR_FMT", " vif:%p(%d)"],
]);

/** Reads the words one after the other. */
export class PrintTokens {
  readonly #text: string;
  #at = 0;
  #count = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /**
   * The next word.
   *
   * @throws {UnreadableFormat} when a text has no end
   */
  next(): PrintToken {
    if (++this.#count > MOST_TOKENS) throw new UnreadableFormat("too long");
    const text = this.#text;
    while (/\s/.test(text[this.#at] ?? "")) this.#at++;
    const start = this.#at;
    const first = text[start];
    if (first === undefined) return END;
    if (first === '"' || first === "'") return this.#quoted(first);
    if (first === "(" || first === ")" || first === ",") {
      this.#at++;
      return { type: "delim", text: first };
    }
    if (/[\w]/.test(first)) {
      while (/[\w]/.test(text[this.#at] ?? "")) this.#at++;
      const item = text.slice(start, this.#at);
      // Kernels before 2.6.35 forgot to replace these.
      const fixed = LEFT_OVER.get(item);
      return fixed === undefined
        ? { type: "item", text: item }
        : { type: "string", text: fixed };
    }
    const op = /^(?:->|<<=?|>>=?|\+\+|--|\|\||&&|[-+|&<>!=]=|.)/.exec(
      text.slice(start, start + 3),
    )?.[0] ?? first;
    this.#at += op.length;
    return { type: "op", text: op };
  }

  #quoted(quote: string): PrintToken {
    const text = this.#text;
    let value = "";
    for (;;) {
      this.#at++;
      const start = this.#at;
      let escaped = false;
      for (;; this.#at++) {
        const char = text[this.#at];
        if (char === undefined) throw new UnreadableFormat("no closing quote");
        // A character that is not printable (such as a tab) ends the text too.
        const ends = char === quote || (char !== "\n" && !/[ -~]/.test(char));
        if (ends && !escaped) break;
        escaped = char === "\\" && !escaped;
      }
      value += text.slice(start, this.#at);
      this.#at++;
      if (quote === "'") return { type: "char", text: value };
      let next = this.#at;
      while (/\s/.test(text[next] ?? "")) next++;
      if (text[next] !== '"') return { type: "string", text: value };
      this.#at = next;
    }
  }
}
