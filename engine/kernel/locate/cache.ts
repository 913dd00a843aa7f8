/**
 * The kernel cache: symbols and BTF of kernels seen before, by BUILD-ID. The
 * contents do not depend on KASLR, so one entry serves every boot of a kernel
 * and every guest that runs it.
 *
 * An entry is a directory with `manifest.json`, `symbols.bin` and `btf.bin`. It
 * is used only when the manifest and the checksums match; otherwise everything
 * is read from the guest again.
 *
 * @module
 */
import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { z } from "zod";
import type { SymbolBlob } from "../symbols/symbol_blob.ts";

/** A kernel's description in the cache. */
export interface CachedKernel {
  /** As printed by `uname -r`. */
  readonly release: string;
  readonly symbols: SymbolBlob;
  /** The raw BTF image. */
  readonly btf: Uint8Array;
}

/** Incremented whenever the meaning of the files' contents changes. */
const FORMAT = 1;

const bytes = z.int().nonnegative().max(1 << 30);
const file = z.strictObject({ bytes, crc32: z.int().nonnegative() });
const manifestSchema = z.strictObject({
  format: z.literal(FORMAT),
  buildId: z.string(),
  release: z.string(),
  count: bytes,
  absolute: bytes,
  symbols: file,
  btf: file,
});

type Manifest = z.infer<typeof manifestSchema>;

/** The form of a BUILD-ID that is safe as a file name. */
const BUILD_ID = /^[0-9a-f]{8,128}$/;

/**
 * The user's kernel cache directory: `$XDG_CACHE_HOME/xftrace/kernels`, else
 * `~/.cache/xftrace/kernels`; `undefined` when neither is set or the
 * environment may not be read.
 */
export function kernelCacheDir(
  env: (name: string) => string | undefined = permittedEnv,
): string | undefined {
  const cache = env("XDG_CACHE_HOME");
  // Relative paths must be ignored (XDG Base Directory Specification).
  if (cache?.startsWith("/")) return join(cache, "xftrace", "kernels");
  const home = env("HOME");
  if (!home?.startsWith("/")) return undefined;
  return join(home, ".cache", "xftrace", "kernels");
}

/** Reads an environment variable without prompting for the permission. */
function permittedEnv(variable: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" ? Deno.env.get(variable) : undefined;
}

/** Layout of symbols.bin: offsets, starts, types, names. */
function packSymbols(blob: SymbolBlob): Uint8Array {
  const { count, names } = blob;
  const packed = new Uint8Array(9 * count + 4 + names.length);
  const words = new Uint32Array(packed.buffer, 0, 2 * count + 1);
  words.set(blob.offsets);
  words.set(blob.starts, count);
  packed.set(blob.types, 8 * count + 4);
  packed.set(names, 9 * count + 4);
  return packed;
}

/** Decodes symbols.bin; `undefined` when it is malformed. */
function unpackSymbols(
  packed: Uint8Array<ArrayBuffer>,
  { count, absolute }: Manifest,
): SymbolBlob | undefined {
  const fixed = 9 * count + 4;
  if (packed.length < fixed || absolute > count) return undefined;
  const { buffer, byteOffset } = packed;
  const aligned = byteOffset % 4 === 0;
  const at = aligned ? byteOffset : 0;
  const from = aligned ? buffer : packed.slice().buffer;
  const names = new Uint8Array(from, at + fixed, packed.length - fixed);
  const starts = new Uint32Array(from, at + 4 * count, count + 1);
  if (starts[0] !== 0 || starts[count] !== names.length) return undefined;
  return {
    count,
    absolute,
    offsets: new Uint32Array(from, at, count),
    starts,
    types: new Uint8Array(from, at + 8 * count + 4, count),
    names,
  };
}

/**
 * The cached description of a kernel, or `undefined` when there is no valid
 * one. `onRefused` receives the reason why an existing one was refused.
 *
 * Takes some 10 ms. Never throws: a bad cache entry must not stop the command.
 */
export function loadKernelCache(
  dir: string,
  buildId: string,
  onRefused?: (reason: string) => void,
): CachedKernel | undefined {
  if (!BUILD_ID.test(buildId)) return undefined;
  const entry = join(dir, buildId);
  const refuse = (reason: string): undefined => {
    onRefused?.(`kernel cache ${entry}: ${reason}`);
    return undefined;
  };
  let text: string;
  try {
    text = readFileSync(join(entry, "manifest.json"), "utf8");
  } catch (error) {
    return isMissing(error) ? undefined : refuse(messageOf(error));
  }
  try {
    const parsed = manifestSchema.safeParse(JSON.parse(text));
    if (!parsed.success) {
      return refuse("its manifest is damaged or of another version");
    }
    const manifest = parsed.data;
    if (manifest.buildId !== buildId) {
      return refuse(`its manifest is of the kernel ${manifest.buildId}`);
    }
    const packed = readChecked(join(entry, "symbols.bin"), manifest.symbols);
    const btf = readChecked(join(entry, "btf.bin"), manifest.btf);
    if (packed === undefined || btf === undefined) {
      return refuse("its files do not match their checksums");
    }
    const symbols = unpackSymbols(packed, manifest);
    if (symbols === undefined) return refuse("its symbols are damaged");
    return { release: manifest.release, symbols, btf };
  } catch (error) {
    return refuse(messageOf(error));
  }
}

function readChecked(
  path: string,
  expected: { bytes: number; crc32: number },
): Uint8Array<ArrayBuffer> | undefined {
  const found = readFileSync(path);
  return found.length === expected.bytes && crc32(found) === expected.crc32
    ? found
    : undefined;
}

/**
 * Stores a kernel's description. Each file appears completely or not at all,
 * and the manifest comes last, so a reader never takes a partial entry for a
 * valid one.
 *
 * Never throws; returns why nothing was stored (no space, no permission), or
 * `undefined` on success.
 */
export function storeKernelCache(
  dir: string,
  buildId: string,
  kernel: CachedKernel,
): string | undefined {
  if (!BUILD_ID.test(buildId)) return `no usable BUILD-ID: ${buildId}`;
  const entry = join(dir, buildId);
  try {
    mkdirSync(entry, { recursive: true, mode: 0o700 });
    const symbols = packSymbols(kernel.symbols);
    const manifest: Manifest = {
      format: FORMAT,
      buildId,
      release: kernel.release,
      count: kernel.symbols.count,
      absolute: kernel.symbols.absolute,
      symbols: { bytes: symbols.length, crc32: crc32(symbols) },
      btf: { bytes: kernel.btf.length, crc32: crc32(kernel.btf) },
    };
    writeWhole(join(entry, "symbols.bin"), symbols);
    writeWhole(join(entry, "btf.bin"), kernel.btf);
    writeWhole(
      join(entry, "manifest.json"),
      new TextEncoder().encode(JSON.stringify(manifest, null, 2) + "\n"),
    );
    return undefined;
  } catch (error) {
    return `kernel cache ${entry}: ${messageOf(error)}`;
  }
}

/** Writes a temporary file beside the target and renames it. */
function writeWhole(path: string, content: Uint8Array): void {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    writeFileSync(temporary, content, { mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error &&
    (error.code === "ENOENT" || error.code === "ENOTDIR");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
