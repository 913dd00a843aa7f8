/**
 * How many edits lead from one name to another. Works on character codes and
 * reuses its buffers, since some 100,000 candidates are compared.
 *
 * @module
 */

/**
 * Counts edits from one name to others: inserting, deleting or replacing a
 * character.
 */
export class EditDistance {
  readonly #query: Uint16Array;
  readonly #swaps: boolean;
  #before = new Int32Array(0);
  #last = new Int32Array(0);
  #row = new Int32Array(0);

  /**
   * @param query the characters of the name to start from
   * @param swaps whether swapping two neighbouring characters counts as one
   * edit
   */
  constructor(query: Uint16Array, swaps = false) {
    this.#query = query;
    this.#swaps = swaps;
  }

  /**
   * The distance to `names[start, end)`, or `limit + 1` when it is above
   * `limit`.
   */
  to(
    names: ArrayLike<number>,
    start: number,
    end: number,
    limit: number,
  ): number {
    const q = this.#query;
    const length = end - start;
    if (Math.abs(length - q.length) > limit) return limit + 1;
    if (this.#row.length <= length) {
      this.#before = new Int32Array(length + 64);
      this.#last = new Int32Array(length + 64);
      this.#row = new Int32Array(length + 64);
    }
    let before = this.#before;
    let last = this.#last;
    let row = this.#row;
    for (let j = 0; j <= length; j++) last[j] = j;
    for (let i = 1; i <= q.length; i++) {
      const from = Math.max(1, i - limit);
      const to = Math.min(length, i + limit);
      row[from - 1] = from === 1 ? i : limit + 1;
      let best = row[from - 1];
      for (let j = from; j <= to; j++) {
        const code = names[start + j - 1];
        let cost = last[j - 1] + (q[i - 1] === code ? 0 : 1);
        // Right of the band, the row above holds no computed value.
        if (j < i + limit && last[j] + 1 < cost) cost = last[j] + 1;
        if (row[j - 1] + 1 < cost) cost = row[j - 1] + 1;
        if (
          this.#swaps && i > 1 && j > 1 && q[i - 2] === code &&
          q[i - 1] === names[start + j - 2] && before[j - 2] + 1 < cost
        ) {
          cost = before[j - 2] + 1;
        }
        row[j] = cost;
        if (cost < best) best = cost;
      }
      if (best > limit) return limit + 1;
      const spare = before;
      before = last;
      last = row;
      row = spare;
    }
    return Math.min(last[length], limit + 1);
  }
}
