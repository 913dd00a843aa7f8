/**
 * What kind of recording a file is.
 *
 * @module
 */

/** The kind of target that a file is, by how it begins. */
export function recordingKind(file: string): "dat" | "core" | "xfs" {
  const head = new Uint8Array(10);
  try {
    using opened = Deno.openSync(file);
    opened.readSync(head);
  } catch {
    // Whatever is wrong with it, opening it as a core says so.
  }
  const magic = new TextDecoder("latin1").decode(head);
  if (magic === "\x17\x08Dtracing") return "dat";
  return magic.startsWith("XFTSEAL") ? "xfs" : "core";
}
