import assert from "node:assert/strict";
import { cpio, device, file, folder, link } from "./cpio.ts";

/** Reads an archive back, field by field. */
function entries(archive: Uint8Array) {
  const text = new TextDecoder();
  const found = [];
  for (let at = 0; at < archive.length;) {
    assert.equal(at % 4, 0);
    const header = text.decode(archive.subarray(at, at + 110));
    assert.match(header, /^070701[0-9a-f]{104}$/);
    const field = (i: number) =>
      parseInt(header.slice(6 + i * 8, 14 + i * 8), 16);
    const nameSize = field(11);
    const path = text.decode(
      archive.subarray(at + 110, at + 110 + nameSize - 1),
    );
    const data = at + 110 + nameSize + 3 & ~3;
    const size = field(6);
    found.push({
      path,
      mode: field(1),
      data: text.decode(archive.subarray(data, data + size)),
      device: [field(9), field(10)],
    });
    at = data + size + 3 & ~3;
  }
  return found;
}

Deno.test("writes entries that can be read back", () => {
  const archive = cpio([
    folder("dev"),
    device("dev/console", 5, 1),
    file("a", new TextEncoder().encode("x"), 0o755),
    file("empty", new Uint8Array()),
    link("bin", "usr/bin"),
  ]);
  assert.deepEqual(entries(archive), [
    { path: "dev", mode: 0o040755, data: "", device: [0, 0] },
    { path: "dev/console", mode: 0o020600, data: "", device: [5, 1] },
    { path: "a", mode: 0o100755, data: "x", device: [0, 0] },
    { path: "empty", mode: 0o100644, data: "", device: [0, 0] },
    { path: "bin", mode: 0o120777, data: "usr/bin", device: [0, 0] },
    { path: "TRAILER!!!", mode: 0, data: "", device: [0, 0] },
  ]);
});
