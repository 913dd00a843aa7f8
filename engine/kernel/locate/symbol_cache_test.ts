import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { parseSystemMap } from "../symbols/system_map.ts";
import { loadSymbols, storeSymbols, symbolCacheDir } from "./symbol_cache.ts";

const KEY = "0123456789abcdef".repeat(4);

const SYMBOLS = parseSystemMap(
  "0000000000000010 A early\nffffffff81000000 T _text\nffffffff81000000 T _stext\nffffffff81000040 T schedule\nffffffff81000123 T _etext\n",
  "map",
);

/** Runs `body` with a temporary folder, which is removed afterwards. */
function inTemporary(body: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), "xftrace-cache-"));
  try {
    body(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const fileOf = (dir: string) => join(dir, `${KEY}.symbols`);

/** Why an entry is refused; "" when it is not there at all. */
function refusal(dir: string): string {
  let reason = "";
  assert.equal(loadSymbols(dir, KEY, (why) => reason = why), undefined);
  return reason;
}

Deno.test("stored symbols are loaded again, and only their owner may read them", () => {
  inTemporary((parent) => {
    const dir = join(parent, "symbols");
    assert.equal(refusal(dir), "");
    assert.equal(storeSymbols(dir, KEY, SYMBOLS), undefined);
    assert.deepEqual(loadSymbols(dir, KEY, assert.fail), SYMBOLS);
    assert.deepEqual(readdirSync(dir), [`${KEY}.symbols`]);
    assert.equal(statSync(dir).mode & 0o777, 0o700);
    assert.equal(statSync(fileOf(dir)).mode & 0o777, 0o600);
  });
});

Deno.test("damaged entries are refused, and storing again replaces them", () => {
  const bytes = (change: (bytes: Uint8Array) => void, sum = false) =>
  (
    path: string,
  ) => {
    const content = new Uint8Array(readFileSync(path));
    change(content);
    const view = new DataView(content.buffer);
    if (sum) view.setUint32(20, crc32(content.subarray(24)), true);
    writeFileSync(path, content);
  };
  const cases: ((path: string) => void)[] = [
    bytes((b) => b[b.length >> 1] ^= 1),
    bytes((b) => b[7] ^= 1),
    bytes((b) => b[8]++),
    bytes((b) => b[11] = 0x7f),
    bytes((b) => b[12] = 99),
    bytes((b) => b[16]++),
    // The sum is right, but the names' starts descend.
    bytes((b) => b[24 + 4 * SYMBOLS.count + 4] = 255, true),
    (path) => writeFileSync(path, ""),
    (path) => writeFileSync(path, readFileSync(path).subarray(1)),
  ];
  for (const damage of cases) {
    inTemporary((dir) => {
      storeSymbols(dir, KEY, SYMBOLS);
      damage(fileOf(dir));
      assert.match(refusal(dir), /are not used: it is damaged$/);
      assert.equal(storeSymbols(dir, KEY, SYMBOLS), undefined);
      assert.deepEqual(loadSymbols(dir, KEY), SYMBOLS);
    });
  }
});

Deno.test("what others may write, links and devices are not used", () => {
  const cases: [RegExp, (dir: string) => void][] = [
    [/is open to other users/, (dir) => chmodSync(dir, 0o770)],
    [/is a symbolic link/, (dir) => {
      renameSync(fileOf(dir), join(dir, "elsewhere"));
      symlinkSync(join(dir, "elsewhere"), fileOf(dir));
    }],
    [/is a folder, not a regular file/, (dir) => {
      rmSync(fileOf(dir));
      mkdirSync(fileOf(dir));
    }],
    [/is a FIFO, not a regular file/, (dir) => {
      rmSync(fileOf(dir));
      new Deno.Command("mkfifo", { args: [fileOf(dir)] }).outputSync();
    }],
  ];
  for (const [message, change] of cases) {
    inTemporary((dir) => {
      storeSymbols(dir, KEY, SYMBOLS);
      change(dir);
      assert.match(refusal(dir), message);
    });
  }
  inTemporary((dir) => {
    mkdirSync(join(dir, "real"));
    symlinkSync(join(dir, "real"), join(dir, "link"));
    assert.match(
      storeSymbols(join(dir, "link"), KEY, SYMBOLS) ?? "",
      /is a symbolic link, where a folder must be/,
    );
    assert.deepEqual(readdirSync(join(dir, "real")), []);
  });
});

Deno.test("only a digest is used as a name", () => {
  inTemporary((dir) => {
    for (const key of ["../../x", "", KEY.slice(1), KEY.toUpperCase()]) {
      assert.match(storeSymbols(dir, key, SYMBOLS) ?? "", /is no digest/);
      assert.equal(loadSymbols(dir, key, assert.fail), undefined);
    }
    assert.deepEqual(readdirSync(dir), []);
  });
});

Deno.test("guests cannot fill the disk: the oldest entries are removed", () => {
  inTemporary((dir) => {
    writeFileSync(join(dir, "notes.txt"), "not an entry");
    writeFileSync(`${fileOf(dir)}.01ab.part`, "left by a killed command");
    utimesSync(`${fileOf(dir)}.01ab.part`, 1, 1);
    const keys = Array.from(
      { length: 40 },
      (_, i) => i.toString(16).padStart(64, "0"),
    );
    keys.forEach((key, i) => {
      assert.equal(storeSymbols(dir, key, SYMBOLS), undefined);
      utimesSync(join(dir, `${key}.symbols`), 1000 + i, 1000 + i);
    });
    assert.deepEqual(readdirSync(dir).sort(), [
      ...keys.slice(-16).map((key) => `${key}.symbols`),
      "notes.txt",
    ]);
  });
});

Deno.test("an unwritable cache is not a failure", () => {
  inTemporary((dir) => {
    writeFileSync(join(dir, "file"), "");
    const under = join(dir, "file", "symbols");
    assert.match(storeSymbols(under, KEY, SYMBOLS) ?? "", /are not cached in/);
    assert.equal(refusal(under), "");
  });
});

Deno.test("the cache folder follows the XDG specification", () => {
  const dir = (env: Record<string, string>) =>
    symbolCacheDir((name) => env[name]);
  assert.equal(
    dir({ XDG_CACHE_HOME: "/c", HOME: "/h" }),
    "/c/xftrace/symbols",
  );
  assert.equal(dir({ HOME: "/h" }), "/h/.cache/xftrace/symbols");
  assert.equal(
    dir({ XDG_CACHE_HOME: "relative", HOME: "/h" }),
    "/h/.cache/xftrace/symbols",
  );
  assert.equal(dir({}), undefined);
});
