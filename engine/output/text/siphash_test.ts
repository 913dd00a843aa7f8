import assert from "node:assert/strict";
import { siphash1u64 } from "./siphash.ts";

Deno.test("SipHash-2-4 gives the reference vector for eight bytes", () => {
  // Bytes 00..07 under key 00..0f, from the reference implementation.
  assert.equal(
    siphash1u64(
      0x0706050403020100n,
      0x0706050403020100n,
      0x0f0e0d0c0b0a0908n,
    ),
    0x93f5f5799a932462n,
  );
});
