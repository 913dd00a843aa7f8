import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { patch, RECORDED, recordedGuest } from "./recorded_guest_fixture.ts";
import { parseVmcoreinfo } from "./vmcoreinfo.ts";

/** Runs `body` with a temporary folder, which is removed afterwards. */
function inTemporary(body: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), "xftrace-cache-"));
  try {
    body(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

for (const kernel of RECORDED) {
  /** The guest, where some symbols lie elsewhere than in the real one. */
  const moved = (live: boolean) => {
    const guest = recordedGuest(kernel, { live });
    const at = guest.describe();
    const offsets = parseVmcoreinfo(guest.note)?.symbol("kallsyms_offsets");
    assert.ok(offsets !== undefined);
    // All symbols from the middle on.
    const length = 4 * 1000;
    const gva = offsets + BigInt(4 * (at.symbols.count >> 1));
    const words = new Int32Array(at.space.bytes(gva, length).slice().buffer);
    for (let i = 0; i < words.length; i++) words[i] = words[0];
    patch(at, gva, new Uint8Array(words.buffer));
    return guest;
  };

  Deno.test(`${kernel}: a stranger's recording does not reach the cache, nor a guest`, () => {
    inTemporary((dir) => {
      const cacheDir = join(dir, "symbols");
      const clean = recordedGuest(kernel, { live: true });
      const truth = clean.describe();
      const addresses = (of: typeof truth) =>
        [...of.symbols.glob("*")].map((name) => of.symbols.address(name));
      const right = addresses(truth);

      // The same BUILD-ID, other addresses.
      const stranger = moved(false);
      const forged = stranger.describe({ cacheDir });
      assert.equal(forged.facts.buildId, truth.facts.buildId);
      assert.notDeepEqual(addresses(forged), right);
      assert.throws(() => readdirSync(cacheDir), /ENOENT|No such file/);

      // Even what a running guest says serves only guests that say the same.
      const hostile = moved(true).describe({ cacheDir });
      assert.equal(hostile.facts.describedBy, "guest memory");
      const fresh = clean.describe({ cacheDir });
      assert.equal(fresh.facts.describedBy, "guest memory");
      assert.deepEqual(addresses(fresh), right);
      const cached = clean.describe({ cacheDir, onWarning: assert.fail });
      assert.equal(cached.facts.describedBy, "cache");
      assert.equal(cached.facts.kaslrOffset, truth.facts.kaslrOffset);
      assert.deepEqual(addresses(cached), right);
      assert.equal(readdirSync(cacheDir).length, 2);
      // Recordings do not read it either.
      const recording = recordedGuest(kernel).describe({ cacheDir });
      assert.equal(recording.facts.describedBy, "guest memory");
    });
  });
}
