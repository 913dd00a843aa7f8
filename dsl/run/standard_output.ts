/**
 * Standard output, as sinks such as `print()` write to it.
 *
 * @module
 */
import { textBytes } from "../../engine/output/text/byte_text.ts";

/** The part of `Deno.stdout` that is used. */
interface ByteWriter {
  /** Writes some of the bytes; returns how many. */
  writeSync(bytes: Uint8Array): number;
}

/**
 * Writes text to standard output; bytes that are not UTF-8 are passed on
 * unchanged. When the reader of a pipe has ended, as `head` does, that is no
 * error: what is written from then on is dropped.
 *
 * @param onClosed called once, when nobody reads any more
 */
export function writerTo(
  output: ByteWriter,
  onClosed: () => void,
): (text: string) => void {
  let closed = false;
  return (text) => {
    if (closed) return;
    const bytes = textBytes(text);
    try {
      for (let at = 0; at < bytes.length;) {
        at += output.writeSync(bytes.subarray(at));
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
      closed = true;
      onClosed();
    }
  };
}
