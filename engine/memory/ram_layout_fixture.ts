/**
 * Layouts of simple machines, for tests.
 *
 * @module
 */
import { type Board, layoutRam } from "./ram_layout.ts";

/** Start, end and offset of the regions of a machine with one backing. */
export function single(board: Board, size: number, maxBelow4g?: number) {
  return layoutRam({
    board,
    size,
    maxBelow4g,
    backings: [{ backing: 0, size }],
  }).regions.map((r) => [r.start, r.end, r.offset]);
}
