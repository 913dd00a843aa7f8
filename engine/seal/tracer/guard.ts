/**
 * What is checked of the module while it traces: heartbeats, commands, and
 * now and then its code, its registration and its pages.
 *
 * @module
 */
import { CONTROL } from "../page/abi.ts";
import type { ControlPage } from "../page/control_page.ts";
import { randomWords } from "../keys/key_controller.ts";
import type { Mailbox } from "../page/mailbox.ts";
import type { Presence, PresenceFinding } from "../page/presence.ts";
import type { Running } from "./running_trace.ts";

/** Milliseconds that the module's threads have for what they are to do. */
const PATIENCE = 5000;
/** Reading all memory takes longer than keys should wait: now and then. */
const CHECKS_A_SEARCH = 8;

/** What a guard needs to know of its tracer. */
export interface Guarded {
  readonly page: ControlPage;
  readonly mailbox: Mailbox;
  readonly presence: Presence;
  /** Commands that were answered, as the host knows. */
  readonly commands: number;
}

/** The checks whose time has come. */
export function dueFindings(
  tracer: Guarded,
  running: Running,
): PresenceFinding[] {
  const { page, presence } = tracer;
  const now = performance.now();
  const findings: PresenceFinding[] = [];
  if (now >= running.nextHeartbeat) {
    running.nextHeartbeat = now + (running.options.heartbeatMs ?? 500);
    findings.push(
      ...quickFindings(presence, running),
      ...foreignCommands(tracer),
      ...heartbeat(page, running, now),
    );
  }
  if (now >= running.nextCheck) {
    running.nextCheck = now + (running.options.checkMs ?? 5000);
    findings.push(...presence.full(), ...running.sites?.check() ?? []);
    if (running.checks++ % CHECKS_A_SEARCH === 0) {
      findings.push(...presence.search());
    }
  }
  return findings;
}

/** The checks that cost little, for how the host has switched the trace. */
export function quickFindings(
  presence: Presence,
  { on, switched, seal, generation }: Running,
): PresenceFinding[] {
  const late = performance.now() - switched > PATIENCE;
  return presence.quick(on ? late ? "on" : "going on" : "off", {
    seal,
    generation,
  });
}

/** Makes all checks due. */
export function makeDue(running: Running): void {
  running.nextHeartbeat = running.nextCheck = running.checks = 0;
}

/** The module answers a random number; the next one is sent when it has. */
function heartbeat(
  page: ControlPage,
  running: Running,
  now: number,
): PresenceFinding[] {
  if (page.u64(CONTROL.heartbeat_seen) !== running.nonce) {
    return now - running.nonceSent > PATIENCE
      ? [{
        problem: "no heartbeat",
        detail: "the module's thread does not answer",
      }]
      : [];
  }
  running.answered = now;
  const [lo, hi] = randomWords(2);
  running.nonce = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
  running.nonceSent = now;
  page.setU64(CONTROL.heartbeat_nonce, running.nonce);
  return [];
}

function foreignCommands(
  { page, mailbox, commands: known }: Guarded,
): PresenceFinding[] {
  const number = page.number(CONTROL.command_number);
  const commands = page.number(CONTROL.commands);
  if (mailbox.sent.has(number) && commands <= known) return [];
  return [{
    problem: "foreign command",
    detail:
      `the mailbox shows command ${number} and ${commands} answers; the host knows of ${known}`,
  }];
}
