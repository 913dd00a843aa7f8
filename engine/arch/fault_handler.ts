/**
 * What a host's handler of SIGBUS has to do; its machine code is the
 * architectures'. This is about the host's processor, not the guest's.
 *
 * @module
 */

/** The signal's number. */
export const SIGBUS = 7;

/**
 * Words of 8 bytes of a slot: the first address of a guarded mapping, one past
 * its last, and whether it was hit. A slot that is free has zeros.
 */
export const SLOT_WORDS = 3;

/** What the code is made for. */
export interface HandlerPlace {
  /** Address of the slots. */
  readonly table: bigint;
  /** Number of slots, below 65,536. */
  readonly slots: number;
  /**
   * Address of the handler that was there before; 0 and 1 are no functions.
   */
  readonly before: bigint;
}

/**
 * Makes the code of a handler (`SA_SIGINFO`). If the address of the fault is in
 * a guarded mapping, it sets the third word of the mapping's slot to 1, maps
 * empty private memory over all of the mapping, and returns. Otherwise it calls
 * the handler that was there before, or ends the process as the signal would.
 */
export type FaultHandler = (place: HandlerPlace) => Uint8Array<ArrayBuffer>;
