/**
 * Checks on the module during a trace: heartbeats and commands, and at longer
 * intervals its text, its registration and its pages.
 *
 * @module
 */
import { CONTROL } from "../page/abi.ts";
import { RootCallSites } from "../page/call_sites.ts";
import type { ControlPage } from "../page/control_page.ts";
import { randomWords } from "../keys/key_controller.ts";
import type { Mailbox } from "../page/mailbox.ts";
import { Pauses } from "./pauses.ts";
import {
  type Presence,
  type PresenceFinding,
  STANDS_STILL,
} from "../page/presence.ts";

/** How long the module's threads may take to react, in milliseconds. */
const PATIENCE = 5000;
/**
 * A search of all memory takes longer than keys should wait, so it is done only
 * once in this many checks.
 */
const CHECKS_A_SEARCH = 8;

/** The module being watched. */
export interface WatchedModule {
  readonly page: ControlPage;
  readonly mailbox: Mailbox;
  readonly presence: Presence;
  /**
   * How long the guest's processors have been running on the host's, ms; absent
   * when that is not known.
   */
  readonly cpuMs?: (() => number) | undefined;
  /** How long they have been waiting for one of the host's, ms. */
  readonly waitMs?: (() => number) | undefined;
  /** Whether the hypervisor says that the host has stopped the guest. */
  readonly paused?: (() => boolean) | undefined;
}

/** How the module was started, and the intervals of the checks. */
export interface WatchSettings {
  /** The seal, XFT_SEAL_*. */
  readonly seal: number;
  readonly generation: number;
  /** Interval between two heartbeats in milliseconds; default 500. */
  readonly heartbeatMs?: number;
  /**
   * Interval between two checks of the module's text in milliseconds; default
   * 5000.
   */
  readonly checkMs?: number;
}

/** What has been configured. */
export interface ConfiguredTrace {
  readonly roots: readonly bigint[];
  /** CONFIG_FLAG. */
  readonly flags: number;
  /** Levels below a root; 0: all. */
  readonly maxDepth: number;
}

/** Watches the module during one trace. */
export class Watch {
  readonly #module: WatchedModule;
  readonly #settings: WatchSettings;
  #nextHeartbeat: number;
  #nextCheck: number;
  #checks = 0;
  /** The nonce that the module is to answer next, or has answered. */
  #nonce: bigint;
  #nonceSent: number;
  #answered: number;
  #on = true;
  #switched: number;
  /**
   * The call sites of the roots; `undefined` in a trace that was taken over.
   */
  #sites: RootCallSites | undefined;
  readonly #pauses: Pauses;
  /** What else was configured; unknown in a trace that was taken over. */
  #configured: { readonly flags?: number; readonly maxDepth?: number } = {};

  constructor(module: WatchedModule, settings: WatchSettings) {
    const now = performance.now();
    this.#module = module;
    this.#settings = settings;
    this.#nextHeartbeat = now;
    this.#nextCheck = now + (settings.checkMs ?? 5000);
    this.#nonce = module.page.u64(CONTROL.heartbeat_seen);
    this.#nonceSent = this.#answered = this.#switched = now;
    this.#pauses = new Pauses(module, now);
  }

  /** Leaves out time in which the host did not let the guest run. */
  #leaveOutPauses(now: number): void {
    const passed = this.#pauses.passed(now);
    this.#nonceSent += passed;
    this.#answered += passed;
    this.#switched += passed;
  }

  /** Milliseconds since the module last answered, or since the trace began. */
  get silentMs(): number {
    return performance.now() - this.#answered;
  }

  /** Records that the host switches recording on or off now. */
  switched(on: boolean): void {
    this.#on = on;
    this.#switched = performance.now();
  }

  /**
   * From now on the kernel must call Ftrace in the roots, and the module must
   * keep the settings that have just been configured.
   */
  configured({ roots, flags, maxDepth }: ConfiguredTrace): void {
    this.#sites = new RootCallSites(this.#module.page, roots);
    this.#configured = { flags, maxDepth };
  }

  /** Makes all checks due. */
  makeDue(): void {
    this.#nextHeartbeat = this.#nextCheck = this.#checks = 0;
  }

  /** Runs the checks that are due. */
  due(): PresenceFinding[] {
    const { presence } = this.#module;
    const now = performance.now();
    const findings: PresenceFinding[] = [];
    if (now >= this.#nextHeartbeat) {
      this.#nextHeartbeat = now + (this.#settings.heartbeatMs ?? 500);
      this.#leaveOutPauses(now);
      findings.push(
        ...this.quick(),
        ...this.#foreignCommands(),
        ...this.#heartbeat(now),
      );
    }
    if (now >= this.#nextCheck) {
      this.#nextCheck = now + (this.#settings.checkMs ?? 5000);
      findings.push(...presence.full(), ...this.#sites?.check() ?? []);
      if (this.#checks++ % CHECKS_A_SEARCH === 0) {
        findings.push(...presence.search());
      }
    }
    return findings;
  }

  /**
   * The cheap checks, taking into account how the host has switched the trace.
   */
  quick(): PresenceFinding[] {
    const late = performance.now() - this.#switched > PATIENCE;
    const { seal, generation } = this.#settings;
    return this.#module.presence.quick(
      this.#on ? late ? "on" : "going on" : "off",
      { seal, generation, ...this.#configured },
    );
  }

  /**
   * Checks that the module has answered the nonce, and if so sends the next
   * one.
   */
  #heartbeat(now: number): PresenceFinding[] {
    const { page } = this.#module;
    if (page.u64(CONTROL.heartbeat_seen) !== this.#nonce) {
      return now - this.#nonceSent > PATIENCE
        ? [{
          problem: "no heartbeat",
          detail: "the module's thread does not answer",
        }]
        : [];
    }
    this.#answered = now;
    const [lo, hi] = randomWords(2);
    this.#nonce = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
    this.#nonceSent = now;
    page.setU64(CONTROL.heartbeat_nonce, this.#nonce);
    return [];
  }

  /**
   * What is due while the guest's clock stands still, so that nothing is read:
   * a guest that only pretends must not keep its checks away in silence.
   */
  standing(): PresenceFinding[] {
    const now = performance.now();
    if (now < this.#nextHeartbeat) return [];
    this.#nextHeartbeat = now + (this.#settings.heartbeatMs ?? 500);
    this.#leaveOutPauses(now);
    return now - this.#nonceSent > PATIENCE
      ? [{
        problem: "no heartbeat",
        detail: STANDS_STILL,
      }]
      : [];
  }

  #foreignCommands(): PresenceFinding[] {
    const { page, mailbox } = this.#module;
    const number = page.number(CONTROL.command_number);
    const commands = page.number(CONTROL.commands);
    if (mailbox.sent.has(number) && commands <= mailbox.answered) return [];
    return [{
      problem: "foreign command",
      detail:
        `the mailbox shows command ${number} and ${commands} answers; the host knows of ${mailbox.answered}`,
    }];
  }
}
