/**
 * What the sealed tracer is told, and what it answers.
 *
 * @module
 */
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { Progress } from "../page/mailbox.ts";
import type { Dropped, ModuleState } from "../page/module_state.ts";
import type { PresenceFinding } from "../page/presence.ts";
import type { SealedConfig } from "./trace_config.ts";
import type { Verification, VisitEntry } from "../recording/verifier.ts";

/** What the tracer needs of an open target. */
export interface TracerSession {
  readonly target: string;
  readonly kernel: Kernel;
}

/** How to trace. */
export interface SealedOptions extends SealedConfig {
  /** Milliseconds between two keys; default 100. */
  readonly rotateMs?: number;
  /** The key log, made when it is not there. */
  readonly klogPath: string;
  /** The recording, written over; without it entries are not kept. */
  readonly recordingPath?: string;
  /**
   * Is given each verified entry, a CPU's in their order, opened: use it at
   * once, its memory is reused.
   */
  readonly onEntry?: VisitEntry;
  /** Milliseconds between two heartbeats; default 500. */
  readonly heartbeatMs?: number;
  /** Milliseconds between two checks of the module's code; default 5000. */
  readonly checkMs?: number;
  /** Called while a command takes its time. */
  readonly onProgress?: (progress: Progress) => void;
}

/** What one poll brought. */
export interface PollResult {
  /** Entries that were read. */
  readonly entries: number;
  /** Entries that were overwritten before. */
  readonly lost: number;
  /** What is wrong with the module, each reported once. */
  readonly findings: readonly PresenceFinding[];
}

/** How a trace stands while it runs. */
export interface SealedStatus extends ModuleState {
  /** Entries that were read. */
  readonly entries: number;
  /** Entries that were overwritten before. */
  readonly lost: number;
  /** Keys that the guest's CPUs took. */
  readonly keySwitches: number;
  /** Milliseconds since the module last answered a heartbeat. */
  readonly heartbeatAgeMs: number;
  /** Bytes of the recording. */
  readonly recordedBytes: number;
  readonly findings: readonly PresenceFinding[];
}

/** What a whole trace came to. */
export interface SealedSummary {
  readonly entries: number;
  /** Overwritten before they were read. */
  readonly lost: number;
  /** Not written by the guest: in an NMI, without a key, nested. */
  readonly dropped: Dropped;
  /** Keys that the guest's CPUs took. */
  readonly keySwitches: number;
  readonly findings: readonly PresenceFinding[];
  /** The seals, verified as the entries were read. */
  readonly verification: Verification;
}
