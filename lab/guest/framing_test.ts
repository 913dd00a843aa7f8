import assert from "node:assert/strict";
import { FrameParser, requestHead } from "./framing.ts";

const TOKEN = "5f6c9d8e";
const text = new TextEncoder();

/** Feeds bytes in pieces of one size; returns the output and the parser. */
function feed(stream: Uint8Array, piece: number) {
  const parser = new FrameParser(TOKEN);
  const out: number[] = [];
  for (let at = 0; at < stream.length; at += piece) {
    out.push(...parser.push(stream.subarray(at, at + piece)));
  }
  return { parser, out: Uint8Array.from(out) };
}

Deno.test("extracts the output from the stream, in pieces of any size", () => {
  const output = new Uint8Array(600).map((_, i) => i & 255);
  const stream = new Uint8Array([
    ...text.encode(`left over \x1eother end 1\n\x1e${TOKEN} begin\n`),
    ...output,
    ...text.encode(`\x1e${TOKEN} en`),
    ...text.encode(`\x1e${TOKEN} end 137\nnoise of a background job`),
  ]);
  const wanted = new Uint8Array([...output, ...text.encode(`\x1e${TOKEN} en`)]);
  for (let piece = 1; piece < 100; piece++) {
    const { parser, out } = feed(stream, piece);
    assert.deepEqual(out, wanted, `pieces of ${piece}`);
    assert.deepEqual(parser.ended, { status: 137 });
  }
});

Deno.test("passes slow output on as it comes", () => {
  const parser = new FrameParser(TOKEN);
  parser.push(text.encode(`\x1e${TOKEN} begin\n`));
  assert.equal(parser.started, true);
  const seen = parser.push(text.encode("one line\n"));
  assert.equal(new TextDecoder().decode(seen), "one line\n");
  assert.equal(parser.ended, undefined);
});

Deno.test("a command without output", () => {
  const stream = text.encode(`\x1e${TOKEN} begin\n\x1e${TOKEN} end 0\n`);
  const { parser, out } = feed(stream, 7);
  assert.equal(out.length, 0);
  assert.deepEqual(parser.ended, { status: 0 });
});

Deno.test("a request contains its sizes", () => {
  assert.equal(requestHead(TOKEN, 12, 0), `run ${TOKEN} 12 0\n`);
});
