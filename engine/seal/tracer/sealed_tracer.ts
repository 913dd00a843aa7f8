/**
 * The sealed tracer, driven from the host: switches tracing on and off, rotates
 * keys, reads the rings, and watches that the module is not tampered with. The
 * facade of this folder.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { CONTROL, PHASE } from "../page/abi.ts";
import { ControlPage } from "../page/control_page.ts";
import { Klog } from "../keys/klog.ts";
import { KLOG } from "../keys/klog_format.ts";
import { guestError, Mailbox } from "../page/mailbox.ts";
import {
  MODULE_GONE,
  moduleState,
  NONE_DROPPED,
} from "../page/module_state.ts";
import { installedTexts } from "../page/installed_text.ts";
import { Presence, type PresenceFinding } from "../page/presence.ts";
import { lastCheck, readLeft } from "./last_reading.ts";
import { RunningTrace, type SealedOptions } from "./running_trace.ts";
import { resolveConfig } from "./trace_config.ts";
import type {
  PollResult,
  SealedStatus,
  SealedSummary,
} from "./trace_results.ts";

/** What the tracer needs from an open target. */
export interface TracerSession {
  readonly target: string;
  readonly kernel: Kernel;
  /** Identifies this run of the guest; see Session. */
  readonly key?: string | undefined;
  /** How long the guest's process has been running, ms; see Session. */
  readonly cpuMs?: () => number;
  readonly waitMs?: () => number;
  /** Whether the host has stopped the guest; see Session. */
  readonly paused?: () => boolean;
}

/** Default of {@linkcode SealedOptions.commandMs}. */
const COMMAND_MS = 120_000;

/** How long a module that is not at work may take to leave a trace, ms. */
const TAKE_BACK_MS = 10_000;

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
  /** How long the guest's process has been running, ms; see Session. */
  readonly cpuMs: (() => number) | undefined;
  /** How long its processors have waited to run, ms; see Session. */
  readonly waitMs: (() => number) | undefined;
  /** Whether the hypervisor says that the host has stopped the guest. */
  readonly paused: (() => boolean) | undefined;
  #trace: RunningTrace | undefined;
  #commandMs = COMMAND_MS;
  /** Problems found in the running trace, or else in the last one. */
  #findings: readonly PresenceFinding[] = NO_FINDINGS;

  private constructor(session: TracerSession, page: ControlPage) {
    this.#session = session;
    this.cpuMs = session.cpuMs;
    this.waitMs = session.waitMs;
    this.paused = session.paused;
    this.page = page;
    this.mailbox = new Mailbox(page, session);
    this.presence = new Presence(page, installedTexts(session)?.load());
  }

  /**
   * The module of a guest; `undefined` when it is not loaded.
   *
   * @throws {KernelError} when the module found cannot be trusted, or has
   * another version.
   */
  static find(session: TracerSession): SealedTracer | undefined {
    const page = ControlPage.find(session.kernel);
    return page === undefined ? undefined : new SealedTracer(session, page);
  }

  /**
   * Whether the guest's module is recording now, whether or not this tracer
   * switched it on.
   */
  get enabled(): boolean {
    return this.page.u32(CONTROL.enabled) !== 0;
  }

  /**
   * The last heartbeat that a host sent to the module. Whoever traces sends
   * another one twice a second, as long as the guest answers.
   */
  get heartbeat(): bigint {
    return this.page.u64(CONTROL.heartbeat_nonce);
  }

  /**
   * Switches the guest's recording on or off during a trace, by writing one
   * word in memory. After some time off (`idleMs`), the guest's functions run
   * as if untraced. The checks of the module continue and take this into
   * account.
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
    // A value that somebody else has set must be reported before it is
    // overwritten.
    for (const finding of trace.watch.quick()) trace.report(finding);
    trace.watch.switched(on);
    this.page.setU32(CONTROL.enabled, on ? 1 : 0);
  }

  /** Whether a trace is running in this tracer. */
  get running(): boolean {
    return this.#trace !== undefined;
  }

  async #command(
    command: "reset" | "configure" | "unregister" | "ping",
    mail?: Uint8Array,
    options: {
      readonly timeoutMs?: number | undefined;
      /** Called while waiting; default: the trace's next step. */
      readonly step?: () => void;
    } = {},
  ): Promise<void> {
    const onProgress = this.#trace?.options.onProgress;
    const step = options.step ?? (() => this.#trace?.step());
    const { result } = await this.mailbox.command(command, mail, {
      timeoutMs: options.timeoutMs ?? this.#commandMs,
      onWait: (progress) => {
        step();
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
   * Starts a trace: empties the rings, sends the first keys, sets the filter
   * and the roots, and switches recording on. Call {@linkcode poll} regularly
   * from then on.
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
    const config = resolveConfig(kernel, options);
    const { message, seal } = config;
    this.#commandMs = options.commandMs ?? COMMAND_MS;
    page.setU32(CONTROL.enabled, 0);
    this.#findings = NO_FINDINGS;
    const klog = new Klog(options.klogPath);
    this.#logCommands(klog);
    let configured = false;
    try {
      await this.#command("reset");
      const trace = RunningTrace.begin(target, this, options, seal, klog);
      this.#run(trace);
      configured = true;
      await this.#command("configure", message);
      trace.watch.configured(config);
      trace.watch.switched(true);
      page.setU32(CONTROL.enabled, 1);
    } catch (error) {
      if (this.#trace === undefined) klog[Symbol.dispose]();
      this.detach();
      if (configured) await this.#tryTakeBack();
      throw error;
    }
  }

  /**
   * Takes over a trace whose collector has ended without stopping it: keys and
   * positions come from its key log and recording.
   *
   * @throws {XftraceError} when the log and the recording do not belong to the
   * trace that the guest's module is running.
   */
  resume(options: SealedOptions): void {
    const trace = RunningTrace.resume(this, options);
    this.#commandMs = options.commandMs ?? COMMAND_MS;
    this.#logCommands(trace.klog);
    this.#run(trace);
    for (const [number, command] of trace.givenBefore) {
      this.mailbox.sent.set(number, command);
    }
  }

  /**
   * Records the host's commands in the key log, so that they can be recognized.
   */
  #logCommands(klog: Klog): void {
    this.mailbox.onCommand = (number, command) =>
      klog.append([{ type: KLOG.command, a: number, b: command }], false);
  }

  #run(trace: RunningTrace): void {
    this.#trace = trace;
    this.#findings = trace.findings;
  }

  /**
   * Reads what is new; rotates keys and checks the module when these are due.
   * Call it more often than keys are rotated.
   *
   * @throws {MemoryError} when the guest has ended.
   */
  poll(): PollResult {
    const trace = this.#trace;
    // If the guest is restarting, its memory may be overwritten already.
    const still = this.#session.kernel.origin?.life() === "still";
    if (trace === undefined) {
      return { entries: 0, lost: 0, findings: NO_FINDINGS };
    }
    this.#session.kernel.space.budget.renew();
    const { entries, lost } = trace.rings;
    const before = this.#findings.length;
    if (still) trace.stand();
    else {
      trace.step();
      trace.check();
      trace.name();
    }
    return {
      entries: trace.rings.entries - entries,
      lost: trace.rings.lost - lost,
      findings: this.#findings.slice(before),
    };
  }

  /** Entries that have been read but not verified yet. */
  get unverified(): number {
    return this.#trace?.unverified ?? 0;
  }

  /** Verifies everything read so far, however long it takes. */
  verifyRead(): void {
    this.#trace?.verifyAll();
  }

  /** The sequence number of the last entry read from each CPU. */
  positions(): [cpu: number, sequence: number][] {
    return this.#trace?.rings.positions() ?? [];
  }

  /** Number of keys that the guest's CPUs have taken in this trace. */
  get keySwitches(): number {
    return this.#trace?.keySwitches ?? 0;
  }

  /** All problems found so far. */
  get findings(): readonly PresenceFinding[] {
    return this.#findings;
  }

  /** Runs all checks now, whether or not they are due. */
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

  /**
   * The state of the trace; `undefined` when none is running in this tracer.
   */
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
   * Ends a trace: switches recording off, unregisters from the function graph,
   * reads the rings to their end, and closes the log and the recording.
   *
   * A module that is gone or does not answer is reported as a finding, and what
   * was read is kept. If the guest has ended (`guestGone`), there is nothing to
   * switch off, but the rest of its rings is read from memory if that still
   * exists.
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
        ? readLeft(trace)
        : await this.#switchOff(trace);
      if (whole && options.guestGone !== true) trace.read(false);
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

  /**
   * Runs the last checks, then switches off; returns whether the module obeyed.
   * Whatever else fails, the module is switched off first.
   */
  async #switchOff(trace: RunningTrace): Promise<boolean> {
    if (!trace.alive()) return false;
    const failures: unknown[] = [];
    const attempt = (step: () => void) => {
      if (failures.length > 0) return;
      try {
        step();
      } catch (error) {
        failures.push(error);
      }
    };
    if (!trace.closing) attempt(() => lastCheck(trace));
    this.page.setU32(CONTROL.enabled, 0);
    const silent = this.#findings.some((f) => f.problem === "no heartbeat");
    const log = this.mailbox.onCommand;
    this.mailbox.onCommand = (number, command) =>
      attempt(() => log?.(number, command));
    let obeyed = true;
    let refusal: XftraceError | undefined;
    try {
      await this.#command("unregister", undefined, {
        timeoutMs: silent ? Math.min(this.#commandMs, 2000) : undefined,
        step: () => attempt(() => trace.step()),
      });
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      obeyed = false;
      refusal = error;
    }
    if (failures.length > 0) throw failures[0];
    // What was read is worth more than the error, which becomes a finding.
    if (refusal !== undefined && trace.alive()) {
      trace.report({ problem: "no heartbeat", detail: refusal.message });
    }
    return obeyed;
  }

  /**
   * Takes back what a trace has written to the guest, without its files: stops
   * recording, and has the module leave the function graph. For a trace that
   * cannot be continued.
   *
   * @throws {XftraceError} when the module does not answer; recording is off.
   */
  async takeBack(): Promise<void> {
    this.detach();
    if (!this.page.alive) return;
    this.page.setU32(CONTROL.enabled, 0);
    // A host that was killed may have left a command that takes long.
    const working = this.page.u32(CONTROL.phase) !== PHASE.idle;
    const timeoutMs = working
      ? this.#commandMs
      : Math.min(this.#commandMs, TAKE_BACK_MS);
    await this.#command("unregister", undefined, { timeoutMs });
  }

  /** Like {@linkcode takeBack}, when there is an error to be told already. */
  async #tryTakeBack(): Promise<void> {
    try {
      await this.takeBack();
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
    }
  }

  /**
   * Detaches without stopping: the guest continues, and {@linkcode resume} can
   * take over later.
   */
  detach(): void {
    const trace = this.#trace;
    this.mailbox.onCommand = undefined;
    this.#trace = undefined;
    trace?.[Symbol.dispose]();
  }
}
