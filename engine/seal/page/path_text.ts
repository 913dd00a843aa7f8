/**
 * Text of a path that the module sends in pieces.
 *
 * @module
 */

/** Joins the pieces of one path; a character may be split between two of them. */
export class PathText {
  readonly #decoder = new TextDecoder();
  #text = "";

  /** The path as far as it is known, without a character that is incomplete. */
  get text(): string {
    return this.#text;
  }

  /** Adds the next piece, which a NUL may end. */
  add(piece: Uint8Array): void {
    const end = piece.indexOf(0);
    this.#text += this.#decoder.decode(
      end < 0 ? piece : piece.subarray(0, end),
      { stream: end < 0 },
    );
  }
}
