import assert from "node:assert/strict";
import fc from "fast-check";
import { formatHexdump, parseHexdump } from "./hexdump_fixture.ts";

Deno.test("a hexdump is read back as the original bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    assert.deepEqual([...parseHexdump(formatHexdump(bytes))], [...bytes]);
  }));
});

Deno.test("runs of zeros are left out and read back", () => {
  const bytes = new Uint8Array(4096);
  bytes[0] = 1;
  bytes[4095] = 2;
  const text = formatHexdump(bytes);
  assert.ok(text.split("\n").length < 10);
  assert.deepEqual(parseHexdump(text), bytes);
});

Deno.test("xxd's own output is understood", () => {
  const text = "00000000: 6865 6c6c 6f20 776f 726c 640a 6465 6164  " +
    "hello world.dead\n# a comment\n00000010: be                ef\n";
  const bytes = parseHexdump(text);
  assert.equal(bytes.length, 17);
  assert.equal(new TextDecoder().decode(bytes.slice(0, 5)), "hello");
  assert.equal(bytes[16], 0xbe);
});

Deno.test("a line that is not part of a hexdump is named", () => {
  assert.throws(() => parseHexdump("00000000: 00\nhello\n"), /line 2 .*hello/);
});
