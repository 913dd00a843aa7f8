/**
 * Error codes in place of pointers (include/linux/err.h).
 *
 * @module
 */

/** MAX_ERRNO: the last so many values are error codes. */
const MAX_ERRNO = 4095;
const FIRST_ERROR = BigInt.asUintN(64, BigInt(-MAX_ERRNO));

/** IS_ERR_VALUE: whether a word is an error code and no address. */
export function isErrorPointer(word: bigint): boolean {
  return word >= FIRST_ERROR;
}
