/**
 * The cache of expanded kallsyms, so that a guest with the same tables as one
 * seen before is opened faster.
 *
 * An entry's name is the SHA-256 of the tables as they lie in the guest, so a
 * guest can only be given what its own bytes expand to. Types are not cached:
 * they are used as they lie in the guest.
 *
 * Only files and folders of this user that nobody else can write are used. The
 * number of entries is limited, since a guest can change its tables as often as
 * it likes.
 *
 * @module
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { geteuid } from "node:process";
import { crc32 } from "node:zlib";
import { MAX_NAMES, MAX_SYMBOLS } from "../symbols/kallsyms.ts";
import type { SymbolBlob } from "../symbols/symbol_blob.ts";

/** The most entries kept, of about 5 MB each. */
const MOST_ENTRIES = 16;
const SUFFIX = ".symbols";
/** "XFTSYM1\n", little-endian; the digit changes with the layout. */
const MAGIC = 0x0a314d5953544658n;
/** Bytes before the arrays: magic, count, absolute, length of names, CRC-32. */
const HEADER = 24;
/** The form of a key: SHA-256 in hex. */
const KEY = /^[0-9a-f]{64}$/;

/**
 * The user's cache of symbols: `$XDG_CACHE_HOME/xftrace/symbols`, else
 * `~/.cache/xftrace/symbols`; `undefined` when neither is set or the
 * environment may not be read.
 */
export function symbolCacheDir(
  env: (name: string) => string | undefined = permittedEnv,
): string | undefined {
  const cache = env("XDG_CACHE_HOME");
  // Relative paths must be ignored (XDG Base Directory Specification).
  if (cache?.startsWith("/")) return join(cache, "xftrace", "symbols");
  const home = env("HOME");
  if (!home?.startsWith("/")) return undefined;
  return join(home, ".cache", "xftrace", "symbols");
}

/** Reads an environment variable without prompting for the permission. */
function permittedEnv(variable: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" ? Deno.env.get(variable) : undefined;
}

function pack(blob: SymbolBlob): Uint8Array {
  const { count, absolute, names } = blob;
  const packed = new Uint8Array(HEADER + 9 * count + 4 + names.length);
  const words = new Uint32Array(packed.buffer, HEADER, 2 * count + 1);
  words.set(blob.offsets);
  words.set(blob.starts, count);
  packed.set(blob.types, HEADER + 8 * count + 4);
  packed.set(names, HEADER + 9 * count + 4);
  const view = new DataView(packed.buffer);
  view.setBigUint64(0, MAGIC, true);
  view.setUint32(8, count, true);
  view.setUint32(12, absolute, true);
  view.setUint32(16, names.length, true);
  view.setUint32(20, crc32(packed.subarray(HEADER)), true);
  return packed;
}

/** Decodes a file; `undefined` when it is damaged or of another version. */
function unpack(packed: Uint8Array<ArrayBuffer>): SymbolBlob | undefined {
  if (packed.length < HEADER) return undefined;
  const bytes = packed.byteOffset % 4 === 0 ? packed : packed.slice();
  const { buffer, byteOffset: at } = bytes;
  const view = new DataView(buffer, at, bytes.length);
  const count = view.getUint32(8, true);
  const absolute = view.getUint32(12, true);
  const length = view.getUint32(16, true);
  if (
    view.getBigUint64(0, true) !== MAGIC || count > MAX_SYMBOLS ||
    length > MAX_NAMES || absolute > count ||
    bytes.length !== HEADER + 9 * count + 4 + length ||
    view.getUint32(20, true) !== crc32(bytes.subarray(HEADER))
  ) return undefined;
  const from = at + HEADER;
  const starts = new Uint32Array(buffer, from + 4 * count, count + 1);
  if (starts[0] !== 0 || starts[count] !== length) return undefined;
  for (let i = 0; i < count; i++) {
    if (starts[i + 1] < starts[i]) return undefined;
  }
  return {
    count,
    absolute,
    offsets: new Uint32Array(buffer, from, count),
    starts,
    types: new Uint8Array(buffer, from + 8 * count + 4, count),
    names: new Uint8Array(buffer, from + 9 * count + 4, length),
  };
}

/** Why a file or folder must not be used; `undefined` when it may be. */
function notOurs(stats: Stats): string | undefined {
  if (stats.uid !== geteuid?.()) return "it belongs to another user";
  return (stats.mode & 0o022) === 0
    ? undefined
    : "other users may write to it (chmod go-w)";
}

/** Whether this process may find out who it runs as. */
function knowsUser(): boolean {
  return Deno.permissions.querySync({ name: "sys", kind: "uid" }).state ===
    "granted";
}

/** Throws unless the folder is a real one, of this user alone. */
function requireFolder(dir: string): void {
  const stats = lstatSync(dir);
  const why = stats.isDirectory() ? notOurs(stats) : "it is not a folder";
  if (why !== undefined) throw new Error(`${dir}: ${why}`);
}

/**
 * The symbols that tables with this digest expand to; `undefined` when they are
 * not in the cache. `onRefused` receives the reason why an existing entry was
 * refused.
 *
 * Takes some 5 ms. Never throws: a bad entry must not stop the command.
 *
 * @param key the tables' digest (`tablesDigest`)
 */
export function loadSymbols(
  dir: string,
  key: string,
  onRefused?: (reason: string) => void,
): SymbolBlob | undefined {
  if (!KEY.test(key) || !knowsUser()) return undefined;
  const path = join(dir, key + SUFFIX);
  try {
    requireFolder(dir);
    // Links are not followed. (With less than all permissions, Deno itself
    // resolves them before O_NOFOLLOW could refuse them.) A FIFO that takes the
    // file's place must not be waited for.
    const seen = lstatSync(path);
    if (!seen.isFile()) throw new Error("it is not a file");
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const stats = fstatSync(fd);
      const limit = HEADER + 9 * MAX_SYMBOLS + 4 + MAX_NAMES;
      const why = !stats.isFile() ? "it is not a file" : notOurs(stats) ??
        (stats.size > limit ? "it is too large" : undefined);
      if (why !== undefined) throw new Error(why);
      const symbols = unpack(readFileSync(fd));
      if (symbols === undefined) throw new Error("it is damaged");
      return symbols;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (!isMissing(error)) {
      onRefused?.(`cached symbols ${path} are not used: ${messageOf(error)}`);
    }
    return undefined;
  }
}

/**
 * Stores what tables with this digest expand to, and removes the oldest entries
 * if there are too many. A file appears completely or not at all.
 *
 * Never throws; returns why nothing was stored (no space, no permission), or
 * `undefined` on success.
 */
export function storeSymbols(
  dir: string,
  key: string,
  symbols: SymbolBlob,
): string | undefined {
  if (!KEY.test(key)) return `symbols are not cached: ${key} is no digest`;
  if (!knowsUser()) return undefined;
  const path = join(dir, key + SUFFIX);
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    requireFolder(dir);
    makeRoom(dir);
    try {
      writeFileSync(temporary, pack(symbols), { mode: 0o600, flag: "wx" });
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    return undefined;
  } catch (error) {
    return `symbols are not cached in ${dir}: ${messageOf(error)}`;
  }
}

/** Removes the oldest entries, and what interrupted commands have left. */
function makeRoom(dir: string): void {
  const files = readdirSync(dir)
    .filter((name) => /\.symbols(?:\.[\w-]+\.tmp)?$/.test(name))
    .map((name) => join(dir, name))
    .map((path) => ({
      path,
      at: lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0,
    }))
    .sort((a, b) => b.at - a.at);
  for (const { path } of files.slice(MOST_ENTRIES - 1)) {
    rmSync(path, { force: true });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error &&
    (error.code === "ENOENT" || error.code === "ENOTDIR");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
