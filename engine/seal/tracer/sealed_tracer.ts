/**
 * The sealed tracer, driven from the host: switches tracing on and off,
 * rotates keys, follows the rings, and watches that the module stays what it
 * is. The facade of this folder.
 *
 * @module
 */
import { MemoryError, XftraceError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { CONTROL } from "../page/abi.ts";
import { ControlPage } from "../page/control_page.ts";
import { KLOG, Klog } from "../keys/klog.ts";
import { guestError, Mailbox } from "../page/mailbox.ts";
import {
  type Dropped,
  MODULE_GONE,
  type ModuleState,
  moduleState,
  NONE_DROPPED,
} from "../page/module_state.ts";
import { installedTexts } from "../page/installed_text.ts";
import { Presence, type PresenceFinding } from "../page/presence.ts";
import type { Verification } from "../recording/verifier.ts";
import { RunningTrace, type SealedOptions } from "./running_trace.ts";
import { resolveConfig } from "./trace_config.ts";

/** What the tracer needs of an open target. */
export interface TracerSession {
  readonly target: string;
  readonly kernel: Kernel;
  /** What tells this run of the guest from others; see Session. */
  readonly key?: string | undefined;
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

const NO_FINDINGS: readonly PresenceFinding[] = [];

/**
 * The sealed tracer of one guest.
 *
 * @example
 * ```ts ignore
 * import { open } from "xftrace/live";
 * import { SealedTracer } from "xftrace/seal";
 *
 * await using guest = await open("qemu:web1");
 * const tracer = SealedTracer.find(guest.session);
 * console.log(tracer === undefined ? "no module" : tracer.enabled);
 * ```
 */
export class SealedTracer {
  readonly #session: TracerSession;
  readonly page: ControlPage;
  readonly mailbox: Mailbox;
  readonly presence: Presence;
  #trace: RunningTrace | undefined;
  /** What was found in the trace that runs, or that ran last. */
  #findings: readonly PresenceFinding[] = NO_FINDINGS;

  private constructor(session: TracerSession, page: ControlPage) {
    this.#session = session;
    this.page = page;
    this.mailbox = new Mailbox(page);
    this.presence = new Presence(page, installedTexts(session)?.load());
  }

  /**
   * The module of a guest; `undefined` when it has none.
   *
   * @throws {KernelError} when what is there is not to be trusted, or speaks
   * another version.
   */
  static find(session: TracerSession): SealedTracer | undefined {
    const page = ControlPage.find(session.kernel);
    return page === undefined ? undefined : new SealedTracer(session, page);
  }

  /** Whether the guest's module records now, whoever switched it on. */
  get enabled(): boolean {
    return this.page.u32(CONTROL.enabled) !== 0;
  }

  /**
   * Trace_Switch: makes the guest record, or not, while a trace goes on. One
   * word in memory. Off for some time (`idleMs`), the guest's functions run as
   * if nobody traced. The checks of the module go on, and know of it.
   *
   * @throws {XftraceError} when no trace is running here.
   */
  switch(on: boolean): void {
    const trace = this.#trace;
    if (trace === undefined) {
      throw new XftraceError(
        "no sealed trace is running here; start one before it is switched",
      );
    }
    if (!trace.alive()) return;
    // What was cleared or set by somebody else must not be written over unseen.
    for (const finding of trace.watch.quick()) trace.report(finding);
    trace.watch.switched(on);
    this.page.setU32(CONTROL.enabled, on ? 1 : 0);
  }

  /** Whether this tracer is tracing. */
  get running(): boolean {
    return this.#trace !== undefined;
  }

  async #command(
    command: "reset" | "configure" | "unregister" | "ping",
    mail?: Uint8Array,
    timeoutMs = 120_000,
  ): Promise<void> {
    const onProgress = this.#trace?.options.onProgress;
    const { result } = await this.mailbox.command(command, mail, {
      timeoutMs,
      onWait: (progress) => {
        this.#trace?.step();
        onProgress?.(progress);
      },
    });
    if (result < 0) {
      throw new XftraceError(
        `the guest's module refused "${command}": ${guestError(result)}`,
      );
    }
  }

  /**
   * Starts a trace: empties the rings, hands out the first keys, sets filter
   * and roots, switches on. Call {@linkcode poll} from then on.
   *
   * @throws {XftraceError} when a name is unknown, a file cannot be written,
   * or the guest refuses; nothing is left switched on.
   */
  async start(options: SealedOptions): Promise<void> {
    if (this.#trace !== undefined) {
      throw new XftraceError("this trace has started already; stop it first");
    }
    const { page } = this;
    const { kernel, target } = this.#session;
    const { message, roots, seal } = resolveConfig(kernel, options);
    page.setU32(CONTROL.enabled, 0);
    this.#findings = NO_FINDINGS;
    const klog = new Klog(options.klogPath);
    this.#logCommands(klog);
    try {
      await this.#command("reset");
      const trace = RunningTrace.begin(target, this, options, seal, klog);
      this.#run(trace);
      await this.#command("configure", message);
      trace.watch.watchCallSites(roots);
      trace.watch.switched(true);
      page.setU32(CONTROL.enabled, 1);
    } catch (error) {
      if (this.#trace === undefined) klog[Symbol.dispose]();
      this.detach();
      throw error;
    }
  }

  /**
   * Takes a trace over whose collector has ended without stopping it: keys
   * and positions come from its key log and recording.
   *
   * @throws {XftraceError} when the log and the recording are not those of
   * what the guest's module does now.
   */
  resume(options: SealedOptions): void {
    const trace = RunningTrace.resume(this, options);
    this.#logCommands(trace.klog);
    this.#run(trace);
    for (const [number, command] of trace.givenBefore) {
      this.mailbox.sent.set(number, command);
    }
  }

  /** The key log notes what the host commands, so that it can be told. */
  #logCommands(klog: Klog): void {
    this.mailbox.onCommand = (number, command) =>
      klog.append([{ type: KLOG.command, a: number, b: command }], false);
  }

  #run(trace: RunningTrace): void {
    this.#trace = trace;
    this.#findings = trace.findings;
  }

  /**
   * Reads what is new, rotates keys and checks the module when it is time.
   * Call it more often than keys are to rotate.
   *
   * @throws {MemoryError} when the guest is gone.
   */
  poll(): PollResult {
    const trace = this.#trace;
    if (trace === undefined) {
      return { entries: 0, lost: 0, findings: NO_FINDINGS };
    }
    const { entries, lost } = trace.rings;
    const before = this.#findings.length;
    trace.step();
    trace.check();
    trace.name();
    return {
      entries: trace.rings.entries - entries,
      lost: trace.rings.lost - lost,
      findings: this.#findings.slice(before),
    };
  }

  /** Entries that were read and are still to be verified. */
  get unverified(): number {
    return this.#trace?.unverified ?? 0;
  }

  /** Verifies all that was read, however long it takes. */
  verifyRead(): void {
    this.#trace?.verifyAll();
  }

  /** Of each CPU, the sequence number of the last entry that was read. */
  positions(): [cpu: number, sequence: number][] {
    return this.#trace?.rings.positions() ?? [];
  }

  /** Keys that the guest's CPUs have taken in this trace. */
  get keySwitches(): number {
    return this.#trace?.keySwitches ?? 0;
  }

  /** Everything that was found so far. */
  get findings(): readonly PresenceFinding[] {
    return this.#findings;
  }

  /** All checks now, without waiting for their turn. */
  checkNow(): readonly PresenceFinding[] {
    const trace = this.#trace;
    if (trace === undefined) {
      const { presence } = this;
      return [
        ...presence.quick("unused"),
        ...presence.full(),
        ...presence.search(),
      ];
    }
    trace.watch.makeDue();
    trace.check();
    return this.#findings;
  }

  /** How the trace stands; `undefined` when none is running here. */
  status(): SealedStatus | undefined {
    const trace = this.#trace;
    if (trace === undefined) return undefined;
    return {
      ...(this.page.alive ? moduleState(this.page) : MODULE_GONE),
      entries: trace.rings.entries,
      lost: trace.rings.lost,
      keySwitches: trace.keySwitches,
      heartbeatAgeMs: Math.round(trace.watch.silentMs),
      recordedBytes: trace.recordedBytes,
      findings: [...this.#findings],
    };
  }

  /**
   * Ends a trace: switches off, leaves the function graph, reads the rings to
   * their end, and closes log and recording.
   *
   * A module that is gone or does not answer is a finding; what was read is
   * kept. Of a guest that has ended (`guestGone`) what its memory still holds
   * is read to the end: there is nothing left to switch off.
   *
   * @throws {XftraceError} when no trace is running, or a file cannot be
   * written.
   */
  async stop(
    options: { readonly guestGone?: boolean } = {},
  ): Promise<SealedSummary> {
    const trace = this.#trace;
    if (trace === undefined) {
      throw new XftraceError("no sealed trace is running here");
    }
    try {
      const whole = options.guestGone === true
        ? this.#readLeft(trace)
        : await this.#switchOff(trace);
      if (whole) trace.read(false);
      const verification = trace.end(whole);
      return {
        entries: trace.rings.entries,
        lost: trace.rings.lost,
        dropped: whole ? moduleState(this.page).dropped : NONE_DROPPED,
        keySwitches: trace.keySwitches,
        verification,
        findings: [...this.#findings],
      };
    } finally {
      this.detach();
    }
  }

  /** Last checks, then off; whether the module did as it was told. */
  async #switchOff(trace: RunningTrace): Promise<boolean> {
    if (!trace.alive()) return false;
    if (!trace.closing) {
      trace.watch.makeDue();
      trace.check();
    }
    this.page.setU32(CONTROL.enabled, 0);
    const silent = this.#findings.some((f) => f.problem === "no heartbeat");
    try {
      await this.#command("unregister", undefined, silent ? 2000 : undefined);
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      // What was read is worth more than the error: it becomes a finding.
      if (trace.alive()) {
        trace.report({ problem: "no heartbeat", detail: error.message });
      }
      return false;
    }
    return true;
  }

  /** Whether the memory of a guest that has ended can be read to its end. */
  #readLeft(trace: RunningTrace): boolean {
    try {
      if (!trace.alive()) return false;
      trace.read(false);
      return true;
    } catch (error) {
      // Its memory went with it.
      if (error instanceof MemoryError) return false;
      throw error;
    }
  }

  /** Lets go without stopping: the guest goes on, {@linkcode resume} later. */
  detach(): void {
    const trace = this.#trace;
    this.mailbox.onCommand = undefined;
    this.#trace = undefined;
    trace?.[Symbol.dispose]();
  }
}
