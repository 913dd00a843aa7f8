/**
 * Inputs that failed, in files from which they can be run again: a line of JSON
 * and the parts.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Input } from "./target.ts";

interface Head {
  readonly target: string;
  readonly why: string;
  /** Sizes of the parts in bytes. */
  readonly parts: readonly number[];
}

/** Writes an input to a file. */
export function keepInput(
  path: string,
  target: string,
  why: string,
  input: Input,
): void {
  const head: Head = { target, why, parts: input.map((part) => part.length) };
  const line = new TextEncoder().encode(JSON.stringify(head) + "\n");
  Deno.writeFileSync(path, new Uint8Array(Buffer.concat([line, ...input])));
}

/** Reads an input from a file. */
export function keptInput(path: string): { target: string; input: Input } {
  const bytes = Deno.readFileSync(path);
  let at = bytes.indexOf(10) + 1;
  const head: Head = JSON.parse(
    new TextDecoder().decode(bytes.subarray(0, at)),
  );
  const input = head.parts.map((size) => bytes.slice(at, at += size));
  return { target: head.target, input };
}
