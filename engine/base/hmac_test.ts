import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { times } from "./long_fixture.ts";
import { Hmac } from "./hmac.ts";

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });

Deno.test("the MAC is the one that Node computes, however the message is cut", () =>
  fc.assert(
    fc.property(bytes(64), fc.array(bytes(200)), (key, parts) => {
      const node = createHmac("sha256", key);
      for (const part of parts) node.update(part);
      const hmac = new Hmac(key);
      assert.deepEqual(
        Uint8Array.from(hmac.of(...parts)),
        Uint8Array.from(node.digest()),
      );
    }),
    { numRuns: times(50) },
  ));

Deno.test("test case 2 of RFC 4231", () => {
  const mac = new Hmac(new TextEncoder().encode("Jefe"))
    .of("what do ya want ", "for nothing?");
  assert.equal(
    mac.toHex(),
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  );
});

Deno.test("a wiped key is gone, and one that is too long is refused", () => {
  const key = Uint8Array.of(1, 2, 3);
  const hmac = new Hmac(key);
  const mac = hmac.of("message");
  hmac.wipe();
  assert.notDeepEqual(hmac.of("message"), mac);
  assert.deepEqual(key, Uint8Array.of(1, 2, 3));
  assert.throws(() => new Hmac(new Uint8Array(65)), /too long/);
});
