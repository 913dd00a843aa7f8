/**
 * Text to compare a kernel's with.
 *
 * @module
 */

/** A trusted copy of the kernel's text, relocated as it was linked. */
export interface TrustedText {
  /** Where it came from, for messages. */
  readonly source: string;
}
