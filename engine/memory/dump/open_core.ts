/**
 * Opens a guest's memory in a file of any known format. The format is found by
 * the file's first bytes, unless a layout lies beside it: the first bytes of raw
 * memory are the guest's, and may be anything.
 *
 * @module
 */
import { CoreMemory } from "../elf_core.ts";
import type { RefuseMachine } from "../elf_core_format.ts";
import {
  type ByteSource,
  openSource,
  type SourceOptions,
} from "../elf_core_source.ts";
import { FLATTENED_MAGIC, flattenedSource } from "../kdump/flattened.ts";
import { KDUMP_MAGIC, type RefuseNamedMachine } from "../kdump/header.ts";
import { KdumpMemory } from "../kdump/kdump_memory.ts";
import { FileMemory } from "./file_memory.ts";
import { LIME_MAGIC, limeParts } from "./lime.ts";
import { rawParts, readLayout } from "./raw_layout.ts";
import type { RecordedMemory } from "./recorded_memory.ts";

/** Longer than each magic number. */
const MAGIC_BYTES = 16;

/** Options for opening a dump. */
export interface OpenCoreOptions extends SourceOptions {
  /** Decides by ELF's numbers which machines' cores cannot be read. */
  readonly refuse?: RefuseMachine;
  /** The same by their names, for formats that hold these. */
  readonly refuseNamed?: RefuseNamedMachine;
  /** Text of a raw memory's layout; default: that beside the file. */
  readonly layout?: string | undefined;
}

/**
 * Opens the core, dump or snapshot at `path`.
 *
 * @throws {XftraceError} one clear sentence, see {@linkcode openSource},
 * {@linkcode CoreMemory} and {@linkcode KdumpMemory}.
 */
export function openCore(
  path: string,
  options: OpenCoreOptions = {},
): RecordedMemory {
  const source = openSource(path, options);
  try {
    return memoryIn(path, source, { layout: readLayout(path), ...options });
  } catch (error) {
    source[Symbol.dispose]();
    throw error;
  }
}

/**
 * The memory in the bytes of a file.
 *
 * @param path for messages
 * @param source is closed together with the result
 * @throws {XftraceError} like {@linkcode openCore}.
 */
export function memoryIn(
  path: string,
  source: ByteSource,
  options: OpenCoreOptions = {},
): RecordedMemory {
  if (options.layout !== undefined) {
    const parts = rawParts(path, options.layout, source.size);
    return new FileMemory(path, "the layout", source, parts);
  }
  let magic = magicOf(source);
  if (magic.startsWith(FLATTENED_MAGIC)) {
    source = flattenedSource(path, source);
    magic = magicOf(source);
  }
  if (magic.startsWith(LIME_MAGIC)) {
    return new FileMemory(path, "the dump", source, limeParts(path, source));
  }
  return magic.startsWith(KDUMP_MAGIC)
    ? new KdumpMemory(path, source, options.refuseNamed)
    : new CoreMemory(path, source, options.refuse);
}

function magicOf(source: ByteSource): string {
  const bytes = new Uint8Array(MAGIC_BYTES)
    .subarray(0, Math.min(MAGIC_BYTES, source.size));
  source.readAt(0, bytes);
  return String.fromCharCode(...bytes);
}
