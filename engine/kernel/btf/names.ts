/**
 * Finds BTF's named things by name: a hash over the string section's bytes,
 * so that no string is made for what is not asked for.
 *
 * @module
 */

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Name to item numbers, in ascending order for equal names. */
export class BtfNames {
  readonly #strings: Uint8Array;
  readonly #offsets: Uint32Array;
  readonly #head: Int32Array;
  readonly #next: Int32Array;

  /**
   * @param strings The string section; its last byte is zero.
   * @param offsets Per item, where its name starts; 0 leaves the item out.
   */
  constructor(strings: Uint8Array, offsets: Uint32Array) {
    const count = offsets.length;
    let size = 256;
    while (size < count) size *= 2;
    const head = new Int32Array(size).fill(-1);
    const next = new Int32Array(count);
    for (let i = count - 1; i >= 0; i--) {
      let at = offsets[i];
      if (at === 0 || at >= strings.length) continue;
      let hash = FNV_OFFSET;
      for (let byte = strings[at]; byte !== 0; byte = strings[++at]) {
        hash = Math.imul(hash ^ byte, FNV_PRIME);
      }
      const bucket = (hash ^ (hash >>> 15)) & (size - 1);
      next[i] = head[bucket];
      head[bucket] = i;
    }
    this.#strings = strings;
    this.#offsets = offsets;
    this.#head = head;
    this.#next = next;
  }

  /** Numbers of the items of that name, ascending. */
  *find(name: string): Generator<number> {
    let hash = FNV_OFFSET;
    for (let k = 0; k < name.length; k++) {
      hash = Math.imul(hash ^ name.charCodeAt(k), FNV_PRIME);
    }
    const strings = this.#strings;
    const bucket = (hash ^ (hash >>> 15)) & (this.#head.length - 1);
    for (let i = this.#head[bucket]; i >= 0; i = this.#next[i]) {
      const start = this.#offsets[i];
      let k = 0;
      while (k < name.length && strings[start + k] === name.charCodeAt(k)) k++;
      if (k === name.length && strings[start + k] === 0) yield i;
    }
  }
}
