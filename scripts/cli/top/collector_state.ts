/**
 * What the collector of a sealed trace says of it, for `xftrace top`.
 *
 * @module
 */
import { type Session, XftraceError } from "xftrace";
import { ask } from "../../collector/protocol.ts";
import { StateFolder } from "../../collector/state.ts";
import type { SealFacts } from "./head.ts";

/** Asks a guest's collector, one question at a time. */
export class CollectorState {
  readonly #folder: StateFolder | undefined;
  #asking = false;
  #seal: SealFacts | undefined;

  constructor({ key }: Pick<Session, "key">) {
    this.#folder = key === undefined ? undefined : new StateFolder(key);
  }

  /** What it said last; `undefined` when no sealed trace is on. */
  get seal(): SealFacts | undefined {
    return this.#seal;
  }

  /** Asks it; nothing waits for the answer. */
  refresh(): void {
    if (this.#folder === undefined || this.#asking) return;
    this.#asking = true;
    this.#ask(this.#folder).finally(() => this.#asking = false);
  }

  async #ask(folder: StateFolder): Promise<void> {
    try {
      const sealed = folder.read()?.sealed;
      if (sealed === undefined) {
        this.#seal = undefined;
        return;
      }
      const reply = await ask(folder.socket, { do: "status" });
      this.#seal = reply !== undefined && "status" in reply
        ? factsOf(reply.status)
        : silent("its collector does not answer any more");
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      this.#seal = silent(error.message);
    }
  }
}

type Status = Extract<
  Awaited<ReturnType<typeof ask>>,
  { readonly status: unknown }
>["status"];

function factsOf({ sealed, failed, starting }: Status): SealFacts {
  if (sealed === undefined) return silent(starting ?? "it has not begun yet");
  const { nmi, unkeyed, nested } = sealed.dropped;
  return {
    seal: sealed.seal,
    phase: sealed.enabled ? "on" : "off",
    entries: sealed.entries,
    lost: sealed.lost,
    dropped: nmi + unkeyed + nested,
    keySwitches: sealed.keySwitches,
    heartbeatAgeMs: sealed.heartbeatAgeMs,
    findings: [
      ...sealed.findings.map(({ problem, detail }) => `${problem}: ${detail}`),
      ...(failed === undefined
        ? []
        : [`nothing is collected any more: ${failed}`]),
    ],
  };
}

/** A trace about which nothing is known but this. */
function silent(why: string): SealFacts {
  return {
    seal: "trace",
    phase: "state unknown",
    entries: 0,
    lost: 0,
    dropped: 0,
    keySwitches: 0,
    heartbeatAgeMs: NaN,
    findings: [why],
  };
}
