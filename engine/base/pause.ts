/**
 * Waits where nothing can be awaited.
 *
 * @module
 */

const nobody = new Int32Array(new SharedArrayBuffer(4));

/** Holds this thread for some ms; nothing else of it runs meanwhile. */
export function pause(ms: number): void {
  Atomics.wait(nobody, 0, 0, ms);
}
