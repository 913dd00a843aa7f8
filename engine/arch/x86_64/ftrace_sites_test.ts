import assert from "node:assert/strict";
import { ftraceSites } from "./ftrace_sites.ts";

Deno.test("the call of Ftrace is at the start of a function, or after an ENDBR64", () => {
  const find = (...bytes: number[]) => {
    const text = new Uint8Array(ftraceSites.lookAt).fill(0x90);
    text.set(bytes);
    return ftraceSites.find(text);
  };
  const nop5 = [0x0f, 0x1f, 0x44, 0x00, 0x00];
  const call = [0xe8, 1, 2, 3, 4];
  const endbr = [0xf3, 0x0f, 0x1e, 0xfa];
  const sealed = [0x66, 0x0f, 0x1f, 0x00];
  const sealedIn72 = [0x0f, 0x1f, 0x40, 0xd6];
  const starts = [[[], 0], [endbr, 4], [sealed, 4], [sealedIn72, 4]] as const;
  for (const [start, offset] of starts) {
    assert.deepEqual(find(...start, ...nop5), { offset, calls: false });
    assert.deepEqual(find(...start, ...call), { offset, calls: true });
    // While the site is being patched.
    assert.deepEqual(find(...start, 0xcc), { offset, calls: false });
    assert.equal(find(...start, 0x55, 0x48), undefined);
    assert.ok(ftraceSites.offsets.includes(offset));
  }
});
