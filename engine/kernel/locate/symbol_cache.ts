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
import { allocateBytes } from "../../base/allocate.ts";
import { lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { replaceHostFile } from "../../base/host_file/create.ts";
import {
  makeOwnFolder,
  requireOwnFolder,
} from "../../base/host_file/folder.ts";
import { isMissing } from "../../base/host_file/open.ts";
import { isOpenToOthers, ownUid } from "../../base/host_file/owner.ts";
import { readHostFile } from "../../base/host_file/read.ts";
import { MAX_NAMES, MAX_SYMBOLS } from "../symbols/kallsyms.ts";
import type { SymbolBlob } from "../symbols/symbol_blob.ts";

/** The most entries kept, of about 5 MB each. */
const MOST_ENTRIES = 16;
const SUFFIX = ".symbols";
/** "XFTSYM1\n", little-endian; the digit changes with the layout. */
const MAGIC = 0x0a314d5953544658n;
/** Bytes before the arrays: magic, count, absolute, length of names, CRC-32. */
const HEADER = 24;
/** The most bytes of an entry. */
const LIMIT = HEADER + 9 * MAX_SYMBOLS + 4 + MAX_NAMES;
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
  const packed = allocateBytes(
    HEADER + 9 * count + 4 + names.length,
    LIMIT,
    "the list of symbols",
  );
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
  if (!KEY.test(key) || ownUid() === undefined) return undefined;
  const path = join(dir, key + SUFFIX);
  try {
    requireOwnFolder(dir);
    if (isOpenToOthers(lstatSync(dir).mode)) {
      throw new Error(`${dir} is open to other users (chmod 700)`);
    }
    const symbols = unpack(readHostFile(path, { own: true, limit: LIMIT }));
    if (symbols === undefined) throw new Error("it is damaged");
    return symbols;
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
  if (ownUid() === undefined) return undefined;
  const path = join(dir, key + SUFFIX);
  try {
    makeOwnFolder(dir);
    makeRoom(dir);
    replaceHostFile(path, pack(symbols));
    return undefined;
  } catch (error) {
    return `symbols are not cached in ${dir}: ${messageOf(error)}`;
  }
}

/** Removes the oldest entries, and what interrupted commands have left. */
function makeRoom(dir: string): void {
  const files = readdirSync(dir)
    .filter((name) => /\.symbols(?:\.\w+\.part)?$/.test(name))
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
