/**
 * Compares text with what it should be: what differs is explained by what
 * patches it there, or is a finding.
 *
 * @module
 */
import { decode, Instruction } from "../../kernel/patching/text_decode.ts";
import type { CodeReading } from "../reading/code_reading.ts";
import { hexDigits } from "../../base/hex.ts";
import { isPlausible } from "./patch_sites.ts";
import { MECHANISMS, type PatchSites } from "./site_marks.ts";
import type { Report } from "../finding.ts";

/** More than this many places are one message. */
const MOST = 200;

/** A text and what it should be, both from the same address on. */
export interface TextPair {
  /** Whose text: `kernel text`, `module loop`. */
  readonly what: string;
  /** What it is compared with: `the trusted image`. */
  readonly with: string;
  /** GVA of the first byte. */
  readonly start: bigint;
  readonly trusted: Uint8Array;
  readonly own: Uint8Array;
  readonly sites: PatchSites;
  /** The module's name, when it is one's. */
  readonly module?: string;
}

/**
 * Reports each place that nothing explains.
 *
 * @returns how many there are
 */
export function compareText(
  reading: CodeReading,
  report: Report,
  pair: TextPair,
): number {
  const { what, start, trusted, own, sites } = pair;
  const length = Math.min(trusted.length, own.length);
  const explained = new Uint32Array(MECHANISMS.length);
  let places = 0;
  report.judged(length);
  for (let i = 0; i < length; i++) {
    if (trusted[i] === own[i]) continue;
    const mechanism = sites.marks[i];
    const site = i - sites.offsets[i];
    if (mechanism !== 0 && isSound(reading, pair, site, mechanism)) {
      explained[mechanism]++;
      continue;
    }
    // To the last difference that is near and not explained either.
    let end = i + 1;
    for (let j = i + 1; j < Math.min(length, end + 8); j++) {
      if (trusted[j] !== own[j] && sites.marks[j] === mechanism) end = j + 1;
    }
    if (isBentCall(trusted, own, i, sites.calls)) {
      explained[MECHANISMS.indexOf("call depth tracking")] += end - i;
    } else if (places++ < MOST) {
      const at = reading.code.at(start + BigInt(i));
      report.finding({
        severity: "critical",
        where: at.name,
        address: at.address,
        expected: hexDigits(trusted.subarray(i, Math.min(end, i + 32)), " "),
        found: hexDigits(own.subarray(i, Math.min(end, i + 32)), " "),
        summary: `${end - i} bytes of ${at.name} are not those of ${pair.with}`,
        ...(pair.module === undefined ? {} : { module: pair.module }),
      });
    }
    i = end - 1;
  }
  if (places > MOST) {
    report.unjudged(
      what,
      `it differs from ${pair.with} in ${places} places, of which the first ${MOST} are listed`,
    );
  }
  MECHANISMS.forEach((name, i) => {
    if (explained[i] > 0) {
      report.known(`${explained[i]} bytes of ${what} by ${name}`);
    }
  });
  return places;
}

/**
 * Whether what stands at a patch site may stand there: what its mechanism
 * writes where that is a short list, else instructions that do not lead to
 * code of nobody's.
 */
function isSound(
  reading: CodeReading,
  { own, start, sites }: TextPair,
  site: number,
  mechanism: number,
): boolean {
  const name = MECHANISMS[mechanism];
  if (!isPlausible(name, own.subarray(site, site + 8))) return false;
  const insn = new Instruction();
  for (let at = site; at < own.length; at += insn.length) {
    if (sites.marks[at] !== mechanism || sites.offsets[at] !== at - site) {
      return true;
    }
    // A site may hold the tail of an instruction only: its place is known.
    if (decode(own, at, insn) === 0) return true;
    if (!insn.branch || insn.immediateSize !== 4) continue;
    const view = new DataView(own.buffer, own.byteOffset + at, insn.length);
    const to = start + BigInt(at + insn.length) +
      BigInt(view.getInt32(insn.immediateAt, true));
    const { kind } = reading.code.at(BigInt.asUintN(64, to));
    if (kind === "unread") return false;
    if (
      kind === "foreign" || kind === "hidden module" || kind === "freed init"
    ) return false;
  }
  return true;
}

/**
 * Whether a difference at `i` is a call bent to the padding in front of its
 * function (arch/x86/kernel/callthunks.c).
 */
function isBentCall(
  trusted: Uint8Array,
  own: Uint8Array,
  i: number,
  calls: ReadonlySet<number>,
): boolean {
  for (let at = i - 4; at < i; at++) {
    if (!calls.has(at) || own[at] !== trusted[at]) continue;
    const distance = (bytes: Uint8Array) =>
      new DataView(bytes.buffer, bytes.byteOffset).getInt32(at + 1, true);
    const back = distance(trusted) - distance(own);
    return back > 0 && back <= 32;
  }
  return false;
}
