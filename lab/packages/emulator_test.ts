import assert from "node:assert/strict";
import { patchesSafely } from "./emulator.ts";

Deno.test("knows which QEMU versions emulate code patching safely", () => {
  const of = (text: string) => patchesSafely(`QEMU emulator version ${text}`);
  assert.equal(of("7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)"), false);
  assert.equal(of("8.0.5"), false);
  assert.equal(of("8.1.0"), true);
  assert.equal(of("8.2.2 (Debian 1:8.2.2+ds-0ubuntu1)"), true);
  assert.equal(of("10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)"), true);
});

Deno.test("a QEMU that does not start is not new enough", () => {
  assert.equal(patchesSafely(""), false);
});
