import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { nameTable } from "./symbol_blob.ts";

Deno.test("names that share their bytes do not become more than a kernel has", () => {
  // 200,000 symbols, all with the same 511 bytes of one table of strings.
  const name = new Uint8Array(511).fill(0x61);
  const names = Array.from({ length: 200_000 }, () => name);
  assert.throws(
    () => nameTable(names, new Uint8Array(names.length)),
    (error) =>
      error instanceof KernelError && /table of names claims/.test(
        error.message,
      ),
  );
  const few = nameTable(names.slice(0, 2), new Uint8Array(2));
  assert.equal(few.names.length, 2 * 511);
});
