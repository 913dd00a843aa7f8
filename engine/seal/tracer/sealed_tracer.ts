/**
 * The sealed tracer, driven from the host: switches tracing on and off,
 * rotates keys, follows the rings, and watches that the module stays what it
 * is. The facade of this folder.
 *
 * @module
 */
import { MemoryError, XftraceError } from "../../base/errors.ts";
import { CONTROL } from "../page/abi.ts";
import type { Running } from "./running_trace.ts";
import type {
  PollResult,
  SealedOptions,
  SealedStatus,
  SealedSummary,
  TracerSession,
} from "./sealed_types.ts";
import { CallSites } from "../page/call_sites.ts";
import { ControlPage } from "../page/control_page.ts";
import { endTrace } from "./end_trace.ts";
import { dueFindings, type Guarded, makeDue, quickFindings } from "./guard.ts";
import { KLOG, Klog } from "../keys/klog.ts";
import { guestError, Mailbox } from "../page/mailbox.ts";
import { Presence, type PresenceFinding } from "../page/presence.ts";
import { readRings } from "./read_rings.ts";
import { resumeTrace } from "./resume_trace.ts";
import { resolveConfig, type SealedConfig } from "./trace_config.ts";
import { MODULE_GONE, moduleState } from "../page/module_state.ts";
import { newTrace } from "./new_trace.ts";
import { nameAddresses } from "./trace_names.ts";
import { watchEntry } from "./watch_entry.ts";

export type {
  PollResult,
  SealedOptions,
  SealedStatus,
  SealedSummary,
  TracerSession,
} from "./sealed_types.ts";

/** Milliseconds of a poll that go to verifying what was read. */
const VERIFY_MS = 20;
const NO_FINDINGS: readonly PresenceFinding[] = [];
/** Milliseconds between two looks for addresses that have no name yet. */
const NAMES_MS = 1000;

/** The sealed tracer of one guest. */
export class SealedTracer {
  readonly #session: TracerSession;
  readonly page: ControlPage;
  readonly mailbox: Mailbox;
  readonly presence: Presence;
  #running: Running | undefined;
  /** Commands answered, as the host knows. */
  #commands: number;
  readonly #findings: PresenceFinding[] = [];

  private constructor(session: TracerSession, page: ControlPage) {
    this.#session = session;
    this.page = page;
    this.mailbox = new Mailbox(page);
    this.presence = new Presence(page);
    this.#commands = page.number(CONTROL.commands);
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
    const running = this.#running;
    if (running === undefined) {
      throw new XftraceError(
        "no sealed trace is running here; start one before it is switched",
      );
    }
    if (!this.#alive()) return;
    // What was cleared or set by somebody else must not be written over unseen.
    for (const finding of quickFindings(this.presence, running)) {
      this.#report(finding);
    }
    running.on = on;
    running.switched = performance.now();
    this.page.setU32(CONTROL.enabled, on ? 1 : 0);
  }

  /** Whether this tracer is tracing. */
  get running(): boolean {
    return this.#running !== undefined;
  }

  /** What {@linkcode start} would change, for a plan; nothing is written. */
  plan(
    options: SealedConfig,
  ): { roots: number; filter: number | "all"; seal: string } {
    const { roots, filter, seal } = resolveConfig(
      this.#session.kernel,
      options,
    );
    return {
      roots: roots.length,
      filter: options.filter === "all" ? "all" : filter.length,
      seal,
    };
  }

  async #command(
    command: "reset" | "configure" | "unregister" | "ping",
    mail?: Uint8Array,
    timeoutMs = 120_000,
  ): Promise<void> {
    const onProgress = this.#running?.options.onProgress;
    const { result } = await this.mailbox.command(command, mail, {
      timeoutMs,
      onWait: (progress) => {
        if (this.#running !== undefined) this.#step();
        onProgress?.(progress);
      },
    });
    this.#commands++;
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
    if (this.#running !== undefined) {
      throw new XftraceError("this trace has started already; stop it first");
    }
    const { kernel } = this.#session;
    const { page } = this;
    const config = resolveConfig(kernel, options);
    page.setU32(CONTROL.enabled, 0);
    this.#findings.length = 0;
    const klog = new Klog(options.klogPath);
    this.mailbox.onCommand = (number, command) =>
      klog.append([{ type: KLOG.command, a: number, b: command }], false);
    try {
      await this.#command("reset");
      const running = newTrace(
        this.#session,
        page,
        options,
        config.seal,
        klog,
        (words, at) => this.#visit(words, at),
      );
      this.#running = running;
      await this.#command("configure", config.message);
      running.sites = new CallSites(page, config.roots);
      running.switched = performance.now();
      page.setU32(CONTROL.enabled, 1);
    } catch (error) {
      if (this.#running === undefined) klog[Symbol.dispose]();
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
    const { running, commands } = resumeTrace(
      this.page,
      options,
      (words, at) => this.#visit(words, at),
    );
    this.mailbox.onCommand = (number, command) =>
      running.klog.append(
        [{ type: KLOG.command, a: number, b: command }],
        false,
      );
    this.#running = running;
    for (const [number, command] of commands) {
      this.mailbox.sent.set(number, command);
    }
  }

  #visit(words: Int32Array, at: number): void {
    const running = this.#running;
    if (running === undefined) return;
    const finding = watchEntry(running, this.mailbox.sent, words, at);
    if (finding !== undefined) this.#report(finding);
  }

  #report(finding: PresenceFinding): void {
    const running = this.#running;
    const key = `${finding.problem} ${finding.detail}`;
    if (running === undefined || running.seen.has(key)) return;
    running.seen.add(key);
    this.#findings.push(finding);
    // Whoever verifies the recording has to know of it.
    running.recording?.finding(finding);
  }

  /**
   * Reads what is new, rotates keys and checks the module when it is time.
   * Call it more often than keys are to rotate.
   *
   * @throws {MemoryError} when the guest is gone.
   */
  poll(): PollResult {
    const running = this.#running;
    if (running === undefined) {
      return { entries: 0, lost: 0, findings: NO_FINDINGS };
    }
    const { entries, lost } = running;
    const before = this.#findings.length;
    this.#step();
    this.#check(running);
    const now = performance.now();
    if (now >= running.nextNames) {
      running.nextNames = now + NAMES_MS;
      nameAddresses(running, this.#session.kernel);
    }
    return {
      entries: running.entries - entries,
      lost: running.lost - lost,
      findings: this.#findings.slice(before),
    };
  }

  /** Reading and rotating, without the checks. */
  #step(): void {
    const running = this.#running;
    if (running === undefined || !this.#alive()) return;
    this.#read(running, true);
    const { rotateMs = VERIFY_MS } = running.options;
    running.backlog.digest(Math.min(VERIFY_MS, rotateMs / 2));
  }

  /** Whether the module is there; it is reported when not. */
  #alive(): boolean {
    if (this.page.alive) return true;
    this.#report({
      problem: "module gone",
      detail:
        "the module was unloaded, or the guest restarted: what it had not handed out is lost",
    });
    return false;
  }

  #read(running: Running, rotate: boolean): void {
    readRings(running, rotate, (finding) => this.#report(finding));
  }

  #check(running: Running): void {
    if (!this.#alive()) return;
    for (const finding of dueFindings(this.#guarded(), running)) {
      this.#report(finding);
    }
  }

  #guarded(): Guarded {
    const { page, mailbox, presence } = this;
    return { page, mailbox, presence, commands: this.#commands };
  }

  /** Entries that were read and are still to be verified. */
  get unverified(): number {
    return this.#running?.backlog.waiting ?? 0;
  }

  /** Verifies all that was read, however long it takes. */
  verifyRead(): void {
    this.#running?.backlog.digest();
  }

  /** Of each CPU, the sequence number of the last entry that was read. */
  positions(): [cpu: number, sequence: number][] {
    return (this.#running?.rings ?? []).map((ring) => [
      ring.area.cpu,
      ring.next - 1,
    ]);
  }

  /** Keys that the guest's CPUs have taken in this trace. */
  get keySwitches(): number {
    return this.#running?.keys.switches ?? 0;
  }

  /** Everything that was found so far. */
  get findings(): readonly PresenceFinding[] {
    return this.#findings;
  }

  /** All checks now, without waiting for their turn. */
  checkNow(): readonly PresenceFinding[] {
    const running = this.#running;
    if (running === undefined) {
      return [
        ...this.presence.quick("unused"),
        ...this.presence.full(),
        ...this.presence.search(),
      ];
    }
    makeDue(running);
    this.#check(running);
    return this.#findings;
  }

  /** How the trace stands; `undefined` when none is running here. */
  status(): SealedStatus | undefined {
    const running = this.#running;
    if (running === undefined) return undefined;
    return {
      ...(this.page.alive ? moduleState(this.page) : MODULE_GONE),
      entries: running.entries,
      lost: running.lost,
      keySwitches: running.keys.switches,
      heartbeatAgeMs: Math.round(performance.now() - running.answered),
      recordedBytes: running.recording?.size ?? 0,
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
    const running = this.#running;
    if (running === undefined) {
      throw new XftraceError("no sealed trace is running here");
    }
    const { page } = this;
    try {
      const whole = options.guestGone === true
        ? this.#readLeft(running)
        : await this.#switchOff(running);
      if (whole) this.#read(running, false);
      const summary = endTrace(page, running, whole);
      return { ...summary, findings: [...this.#findings] };
    } finally {
      this.detach();
    }
  }

  /** Last checks, then off; whether the module did as it was told. */
  async #switchOff(running: Running): Promise<boolean> {
    if (!this.#alive()) return false;
    if (!running.closing) {
      makeDue(running);
      this.#check(running);
    }
    this.page.setU32(CONTROL.enabled, 0);
    const silent = this.#findings.some((f) => f.problem === "no heartbeat");
    try {
      await this.#command("unregister", undefined, silent ? 2000 : undefined);
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      // What was read is worth more than the error: it becomes a finding.
      if (this.#alive()) {
        this.#report({ problem: "no heartbeat", detail: error.message });
      }
      return false;
    }
    return true;
  }

  /** Whether the memory of a guest that has ended can be read to its end. */
  #readLeft(running: Running): boolean {
    try {
      if (!this.#alive()) return false;
      this.#read(running, false);
      return true;
    } catch (error) {
      // Its memory went with it.
      if (error instanceof MemoryError) return false;
      throw error;
    }
  }

  /** Lets go without stopping: the guest goes on, {@linkcode resume} later. */
  detach(): void {
    const running = this.#running;
    this.mailbox.onCommand = undefined;
    if (running === undefined) return;
    this.#running = undefined;
    running.recording?.[Symbol.dispose]();
    running.klog[Symbol.dispose]();
  }
}
