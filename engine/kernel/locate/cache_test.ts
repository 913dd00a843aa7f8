import assert from "node:assert/strict";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CachedKernel,
  kernelCacheDir,
  loadKernelCache,
  storeKernelCache,
} from "./cache.ts";
import { parseSystemMap } from "../symbols/system_map.ts";

const BUILD_ID = "0123456789abcdef0123456789abcdef01234567";

const KERNEL: CachedKernel = {
  release: "6.1.0-test",
  symbols: parseSystemMap(
    "0000000000000010 A early\nffffffff81000000 T _text\nffffffff81000000 T _stext\nffffffff81000040 T schedule\nffffffff81000123 T _etext\n",
    "map",
  ),
  btf: Uint8Array.from({ length: 1001 }, (_, i) => i * 7),
};

/** Runs `body` with a temporary directory, which is removed afterwards. */
function inTemporary(body: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), "xftrace-cache-"));
  try {
    body(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

Deno.test("a stored entry is loaded again", () => {
  inTemporary((dir) => {
    assert.equal(loadKernelCache(dir, BUILD_ID), undefined);
    assert.equal(storeKernelCache(dir, BUILD_ID, KERNEL), undefined);
    const refusals: string[] = [];
    const found = loadKernelCache(dir, BUILD_ID, (r) => refusals.push(r));
    assert.deepEqual(refusals, []);
    assert.ok(found);
    assert.equal(found.release, KERNEL.release);
    assert.deepEqual(new Uint8Array(found.btf), KERNEL.btf);
    assert.deepEqual(found.symbols, KERNEL.symbols);
    // No temporary file is left.
    assert.deepEqual(readdirSync(join(dir, BUILD_ID)).sort(), [
      "btf.bin",
      "manifest.json",
      "symbols.bin",
    ]);
  });
});

Deno.test("storing again replaces a damaged entry", () => {
  inTemporary((dir) => {
    storeKernelCache(dir, BUILD_ID, KERNEL);
    writeFileSync(join(dir, BUILD_ID, "btf.bin"), "junk");
    assert.equal(loadKernelCache(dir, BUILD_ID), undefined);
    storeKernelCache(dir, BUILD_ID, KERNEL);
    assert.ok(loadKernelCache(dir, BUILD_ID));
  });
});

Deno.test("damaged and foreign entries are refused with a reason", () => {
  const manifest =
    (change: (m: Record<string, unknown>) => void) => (entry: string) => {
      const path = join(entry, "manifest.json");
      const content = JSON.parse(readFileSync(path, "utf8"));
      change(content);
      writeFileSync(path, JSON.stringify(content));
    };
  const flip = (file: string) => (entry: string) => {
    const bytes = readFileSync(join(entry, file));
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(join(entry, file), bytes);
  };
  const cases: [RegExp, (entry: string) => void][] = [
    [/do not match their checksums/, flip("symbols.bin")],
    [/do not match their checksums/, flip("btf.bin")],
    [/do not match their checksums/, (entry) => {
      const path = join(entry, "symbols.bin");
      writeFileSync(path, readFileSync(path).subarray(1));
    }],
    [/ENOENT|No such file/, (entry) => rmSync(join(entry, "btf.bin"))],
    [/JSON/, (entry) => writeFileSync(join(entry, "manifest.json"), "{")],
    [/of another version/, manifest((m) => m.format = 2)],
    [/of another version/, manifest((m) => m.extra = 1)],
    [/of another version/, manifest((m) => m.count = -1)],
    [/of the kernel ffff/, manifest((m) => m.buildId = "ffff")],
    [/its symbols are damaged/, manifest((m) => m.count = 4)],
    [/its symbols are damaged/, manifest((m) => m.count = 100000)],
    [/its symbols are damaged/, manifest((m) => m.absolute = 99)],
  ];
  for (const [message, damage] of cases) {
    inTemporary((dir) => {
      storeKernelCache(dir, BUILD_ID, KERNEL);
      damage(join(dir, BUILD_ID));
      let reason = "";
      const found = loadKernelCache(dir, BUILD_ID, (r) => reason = r);
      assert.equal(found, undefined);
      assert.match(reason, message);
    });
  }
});

Deno.test("a BUILD-ID is never used as a path", () => {
  inTemporary((dir) => {
    assert.match(storeKernelCache(dir, "../../x", KERNEL) ?? "", /BUILD-ID/);
    assert.equal(loadKernelCache(dir, "../../x"), undefined);
    assert.deepEqual(readdirSync(dir), []);
  });
});

Deno.test("an unwritable cache is not a failure", () => {
  inTemporary((dir) => {
    writeFileSync(join(dir, "file"), "");
    const reason = storeKernelCache(join(dir, "file"), BUILD_ID, KERNEL);
    assert.match(reason ?? "", /^kernel cache .*file/);
    assert.equal(loadKernelCache(join(dir, "file"), BUILD_ID), undefined);
  });
});

Deno.test("the cache directory follows the XDG specification", () => {
  const dir = (env: Record<string, string>) =>
    kernelCacheDir((name) => env[name]);
  assert.equal(
    dir({ XDG_CACHE_HOME: "/c", HOME: "/h" }),
    "/c/xftrace/kernels",
  );
  assert.equal(dir({ HOME: "/h" }), "/h/.cache/xftrace/kernels");
  assert.equal(
    dir({ XDG_CACHE_HOME: "relative", HOME: "/h" }),
    "/h/.cache/xftrace/kernels",
  );
  assert.equal(dir({}), undefined);
});
