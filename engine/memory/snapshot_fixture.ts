/**
 * Cores and snapshots in memory, for tests.
 *
 * @module
 */
import { CoreMemory } from "./elf_core.ts";
import { bytesSource, openSource } from "./elf_core_source.ts";
import { layoutSnapshot, type SnapshotContent } from "./snapshot_layout.ts";
import { snapshotChunks } from "./snapshot_writer.ts";

/** A core whose bytes are already in memory; `path` is for messages. */
export function coreFromBytes(path: string, bytes: Uint8Array): CoreMemory {
  return new CoreMemory(path, bytesSource(bytes));
}

/** The ELF core in a file. */
export function elfCoreAt(path: string): CoreMemory {
  return new CoreMemory(path, openSource(path));
}

/**
 * Encodes a whole snapshot in memory, uncompressed.
 */
export function encodeSnapshot(
  content: SnapshotContent,
): Uint8Array<ArrayBuffer> {
  const layout = layoutSnapshot(content);
  const bytes = new Uint8Array(layout.size);
  let at = 0;
  for (const chunk of snapshotChunks(content, layout)) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
