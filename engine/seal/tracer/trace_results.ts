/**
 * What a sealed tracer says of its trace: after each poll, while it runs, and at
 * its end.
 *
 * @module
 */
import type { Dropped, ModuleState } from "../page/module_state.ts";
import type { PresenceFinding } from "../page/presence.ts";
import type { Verification } from "../recording/verifier.ts";

/** The result of one poll. */
export interface PollResult {
  /** Number of entries read. */
  readonly entries: number;
  /** Number of entries overwritten before they could be read. */
  readonly lost: number;
  /** Problems with the module, each reported once. */
  readonly findings: readonly PresenceFinding[];
}

/** The state of a running trace. */
export interface SealedStatus extends ModuleState {
  /** Number of entries read. */
  readonly entries: number;
  /** Number of entries overwritten before they could be read. */
  readonly lost: number;
  /** Number of keys that the guest's CPUs have taken. */
  readonly keySwitches: number;
  /** Milliseconds since the module last answered a heartbeat. */
  readonly heartbeatAgeMs: number;
  /** Size of the recording in bytes. */
  readonly recordedBytes: number;
  readonly findings: readonly PresenceFinding[];
}

/** The result of a complete trace. */
export interface SealedSummary {
  readonly entries: number;
  /** Number of entries overwritten before they were read. */
  readonly lost: number;
  /**
   * Entries that the guest could not write: in an NMI, without a key, nested.
   */
  readonly dropped: Dropped;
  /** Number of keys that the guest's CPUs have taken. */
  readonly keySwitches: number;
  readonly findings: readonly PresenceFinding[];
  /** The verification of the seals, done while reading. */
  readonly verification: Verification;
}
