/**
 * Error codes in the place of pointers (include/linux/err.h).
 *
 * @module
 */

/**
 * MAX_ERRNO: this many values at the top of the address range are error codes.
 */
const MAX_ERRNO = 4095;
const FIRST_ERROR = BigInt.asUintN(64, BigInt(-MAX_ERRNO));

/** IS_ERR_VALUE: whether a word is an error code rather than an address. */
export function isErrorPointer(word: bigint): boolean {
  return word >= FIRST_ERROR;
}
