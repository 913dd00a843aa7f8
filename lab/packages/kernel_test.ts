import assert from "node:assert/strict";
import { parseOffers } from "./apt.ts";
import { bzImageRelease } from "./kernel.ts";

/** The head of a bzImage with this version. */
function head(version: string): Uint8Array {
  const bytes = new Uint8Array(0x1000);
  bytes.set(new TextEncoder().encode("HdrS"), 0x202);
  bytes.set([0x00, 0x03], 0x20e);
  bytes.set(new TextEncoder().encode(`${version}\0`), 0x500);
  return bytes;
}

Deno.test("reads the release of a bzImage", () => {
  const image = head("6.1.0-56-amd64 (debian@example) #1 SMP");
  assert.equal(bzImageRelease(image), "6.1.0-56-amd64");
});

Deno.test("recognizes what is not a bzImage", () => {
  assert.equal(bzImageRelease(new Uint8Array(0x1000)), undefined);
  assert.equal(bzImageRelease(new Uint8Array(3)), undefined);
});

Deno.test("parses the output of apt-cache", () => {
  const offers = parseOffers(`Package: linux-image-amd64
Version: 6.1.192-2
Depends: linux-image-6.1.0-56-amd64 (= 6.1.192-2)
Description: x
 more

Package: linux-image-amd64
Version: 6.1.176-1

`);
  assert.deepEqual(offers, [
    {
      name: "linux-image-amd64",
      version: "6.1.192-2",
      depends: "linux-image-6.1.0-56-amd64 (= 6.1.192-2)",
    },
    { name: "linux-image-amd64", version: "6.1.176-1", depends: "" },
  ]);
});
