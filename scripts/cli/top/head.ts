/**
 * What `xftrace top` says above its tables.
 *
 * @module
 */
import { durationText } from "xftrace";
import type { TopSnapshot } from "xftrace/output";
import { sparkline } from "./fit.ts";
import { count } from "../terminal.ts";

/** What is known besides the events. */
export interface TopFacts {
  readonly target: string;
  readonly tracer: string;
  readonly recording: boolean;
  /** Time since the view began, or its counts were set back, in s. */
  readonly seconds: number;
  /** Events a second in the last interval. */
  readonly rate: number;
  /** Events that the guest wrote and that could not be read. */
  readonly lost: number;
  /** Events that the guest could not write. */
  readonly dropped: number;
  /** Whether the guest's trace clock counts ns. */
  readonly inNs: boolean;
  /** About its sealed trace, if one is on. */
  readonly seal?: SealFacts;
  /** Why nothing comes: the guest stands still. */
  readonly still?: string;
}

/** About a sealed trace. */
export interface SealFacts {
  readonly seal: string;
  readonly phase: string;
  readonly entries: number;
  readonly lost: number;
  readonly dropped: number;
  readonly keySwitches: number;
  readonly heartbeatAgeMs: number;
  /** What is wrong with it. */
  readonly findings: readonly string[];
}

/** A line, and whether it is bad news. */
export interface HeadLine {
  readonly text: string;
  readonly bad?: boolean;
}

/** All lines but the one with the bars. */
export function headLines(
  facts: TopFacts,
  { count: events, lost, foreign, leftOut }: TopSnapshot,
): HeadLine[] {
  const byCpu = [...lost].filter(([, lost]) => lost > 0)
    .map(([cpu, lost]) => `CPU ${cpu}: ${count(lost)}`).join(", ");
  const missing = facts.lost > 0 || facts.dropped > 0;
  const lines: HeadLine[] = [
    {
      text: `${facts.target}  ${facts.tracer}, ${
        facts.recording ? "recording" : "not recording"
      }  ${facts.seconds.toFixed(1)} s`,
      bad: !facts.recording && facts.seal === undefined,
    },
    {
      text: `events ${count(events)}, ${
        count(Math.round(facts.rate))
      } a second  lost ${count(facts.lost)}${
        byCpu === "" ? "" : ` (${byCpu})`
      }  dropped by the guest ${count(facts.dropped)}`,
      bad: missing,
    },
  ];
  if (facts.still !== undefined) lines.push({ text: facts.still, bad: true });
  if (!facts.inNs) {
    lines.push({
      text:
        "the guest's trace clock counts ticks, not ns: times between events are ticks",
    });
  }
  if (facts.seal !== undefined) lines.push(...sealLines(facts.seal));
  if (foreign > 0) {
    lines.push({
      text: `${
        count(foreign)
      } calls of, or from, code that is not the kernel's: run \`xftrace check\``,
      bad: true,
    });
  }
  for (const text of leftOut) lines.push({ text, bad: true });
  return lines;
}

function sealLines(seal: SealFacts): HeadLine[] {
  return [
    {
      text: `sealed ${seal.seal}, ${seal.phase}  entries ${
        count(seal.entries)
      }  lost ${count(seal.lost)}  dropped ${count(seal.dropped)}  keys ${
        count(seal.keySwitches)
      }  heartbeat ${durationText(1e6 * seal.heartbeatAgeMs)} ago`,
      bad: seal.lost > 0 || seal.findings.length > 0,
    },
    ...seal.findings.map((text) => ({ text: `FOUND ${text}`, bad: true })),
  ];
}

/** The line with bars: the longest call of each interval. */
export function latencyLine(
  longest: readonly number[],
  of: string,
  width: number,
): string {
  const most = longest.reduce((most, ns) => Math.max(most, ns), 0);
  const before = "longest call ";
  const after = `  last ${durationText(longest.at(-1) ?? 0)}, most ${
    durationText(most)
  }  ${of}`;
  const room = Math.max(8, Math.min(60, width - before.length - 44));
  return before + sparkline(longest, room) + after;
}
