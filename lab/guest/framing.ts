/**
 * The protocol that carries a command, its output (any bytes) and its exit
 * status over a stream.
 *
 * @module
 */

const MARK = "\x1e";

/** The end of a command. */
export interface Ended {
  readonly status: number;
}

/** The head of a request; the command and its input follow, unencoded. */
export function requestHead(
  token: string,
  commandBytes: number,
  inputBytes: number,
): string {
  return `run ${token} ${commandBytes} ${inputBytes}\n`;
}

/** What the host sends to acknowledge the end of a command. */
export const ACKNOWLEDGE = "\n";

/**
 * Extracts one command's output from the stream that a guest sends, whatever
 * bytes it holds and in whatever pieces they arrive. Anything before its
 * beginning (left over from an abandoned command) is dropped.
 */
export class FrameParser {
  private readonly begin: Uint8Array;
  private readonly end: Uint8Array;
  private rest = new Uint8Array();
  private begun = false;
  /** Set once the command has ended. */
  ended?: Ended;

  constructor(token: string) {
    const text = new TextEncoder();
    this.begin = text.encode(`${MARK}${token} begin\n`);
    this.end = text.encode(`${MARK}${token} end `);
  }

  /** Whether the guest has started the command. */
  get started(): boolean {
    return this.begun;
  }

  /**
   * Takes bytes from the stream; returns those that are the command's output.
   */
  push(chunk: Uint8Array): Uint8Array {
    let bytes = joined(this.rest, chunk);
    this.rest = new Uint8Array();
    if (this.ended) return new Uint8Array();
    if (!this.begun) {
      const at = indexOf(bytes, this.begin);
      if (at < 0) {
        this.rest = bytes.slice(-(this.begin.length - 1));
        return new Uint8Array();
      }
      this.begun = true;
      bytes = bytes.subarray(at + this.begin.length);
    }
    const at = indexOf(bytes, this.end);
    if (at >= 0) {
      const tail = bytes.subarray(at + this.end.length);
      const newline = tail.indexOf(10);
      if (newline < 0) {
        this.rest = bytes.slice(at);
      } else {
        const status = new TextDecoder().decode(tail.subarray(0, newline));
        this.ended = { status: Number(status) };
      }
      return bytes.slice(0, at);
    }
    // Hold back only what may be the beginning of the end mark, so that the
    // output of a slow command is passed on as it comes.
    const mark = bytes.lastIndexOf(MARK.charCodeAt(0));
    const held = mark >= 0 && bytes.length - mark < this.end.length
      ? mark
      : bytes.length;
    this.rest = bytes.slice(held);
    return bytes.slice(0, held);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  let at = bytes.indexOf(wanted[0]);
  while (at >= 0) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
    at = bytes.indexOf(wanted[0], at + 1);
  }
  return -1;
}
