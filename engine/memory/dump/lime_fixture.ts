/**
 * LiME dumps, for tests.
 *
 * @module
 */

/** Encodes a dump of these ranges: GPA and bytes. */
export function makeLime(
  ranges: Iterable<readonly [number, Uint8Array]>,
): Uint8Array<ArrayBuffer> {
  const all = [...ranges];
  const total = all.reduce((sum, [, bytes]) => sum + 32 + bytes.length, 0);
  const dump = new Uint8Array(total);
  let at = 0;
  for (const [gpa, bytes] of all) {
    dump.set(limeHeader(gpa, bytes.length), at);
    dump.set(bytes, at + 32);
    at += 32 + bytes.length;
  }
  return dump;
}

/** The header of a range. */
export function limeHeader(
  gpa: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(32);
  const view = new DataView(header.buffer);
  view.setUint32(0, 0x4c694d45, true);
  view.setUint32(4, 1, true);
  view.setBigUint64(8, BigInt(gpa), true);
  view.setBigUint64(16, BigInt(gpa + length - 1), true);
  return header;
}
