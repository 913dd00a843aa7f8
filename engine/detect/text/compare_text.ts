/**
 * Compares text with what it should be. Each difference is either explained by
 * a mechanism that patches the place, or reported as a finding.
 *
 * @module
 */
import type { CodeReading } from "../reading/code_reading.ts";
import { hexDigits } from "../../base/hex.ts";
import type { PatchSites, Site } from "./site_marks.ts";
import type { Report } from "../finding.ts";

/** More differences than this are reported in one message. */
const MOST = 200;

/** A text and its expected content, both starting at the same address. */
export interface TextPair {
  /** Name of the text: `kernel text`, `module loop`. */
  readonly what: string;
  /** What it is compared with: `the trusted image`. */
  readonly with: string;
  /** GVA of the first byte. */
  readonly start: bigint;
  readonly trusted: Uint8Array;
  readonly own: Uint8Array;
  readonly sites: PatchSites;
  /** The module's name, if the text belongs to a module. */
  readonly module?: string;
}

/**
 * Reports each difference that nothing explains.
 *
 * @returns the number of such differences
 */
export function compareText(
  reading: CodeReading,
  report: Report,
  pair: TextPair,
): number {
  const { what, start, trusted, own, sites } = pair;
  const { mechanisms } = sites;
  const { bentCalls } = reading.kernel.arch.patching;
  const length = Math.min(trusted.length, own.length);
  const explained = new Uint32Array(mechanisms.length);
  let places = 0;
  report.judged(length);
  for (let i = 0; i < length; i++) {
    if (trusted[i] === own[i]) continue;
    const mechanism = sites.marks[i];
    const site = sitesAt(sites, i).find((site) => isSound(reading, pair, site));
    if (site !== undefined) {
      explained[site.mechanism]++;
      continue;
    }
    // Extend to the last nearby difference that is not explained either.
    let end = i + 1;
    for (let j = i + 1; j < Math.min(length, end + 8); j++) {
      if (trusted[j] !== own[j] && sites.marks[j] === mechanism) end = j + 1;
    }
    if (bentCalls?.isBent(trusted, own, i, sites.calls) === true) {
      explained[mechanisms.indexOf(bentCalls.mechanism)] += end - i;
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
  mechanisms.forEach((name, i) => {
    if (explained[i] > 0) {
      report.known(`${explained[i]} bytes of ${what} by ${name}`);
    }
  });
  return places;
}

/** The patch sites that a byte is of, the smallest one first. */
function sitesAt({ marks, offsets, around }: PatchSites, at: number): Site[] {
  const mechanism = marks[at];
  if (mechanism === 0) return [];
  const outer = around.get(at);
  const site = { at: at - offsets[at], mechanism };
  return outer === undefined ? [site] : [site, outer];
}

/**
 * Whether the bytes at a patch site are legitimate: on the short list of what
 * the mechanism writes, if there is one; otherwise, instructions that do not
 * lead to code without an owner.
 */
function isSound(
  reading: CodeReading,
  { own, start, sites }: TextPair,
  { at: site, mechanism }: Site,
): boolean {
  const { instructions, patching } = reading.kernel.arch;
  const name = sites.mechanisms[mechanism];
  if (!patching.isPlausible(name, own.subarray(site, site + 8))) return false;
  const decoder = instructions.decoder();
  for (let at = site, length = 0; at < own.length; at += length) {
    const isOf = sitesAt(sites, at).some((one) =>
      one.at === site && one.mechanism === mechanism
    );
    if (!isOf) return true;
    length = decoder.decode(own, at);
    // The site may hold only the tail of an instruction; only its position is
    // known.
    if (length === 0) return true;
    if (decoder.branch === undefined) continue;
    const to = BigInt.asUintN(64, start + BigInt(decoder.target));
    const { kind } = reading.code.at(to);
    if (kind === "unread") return false;
    if (
      kind === "foreign" || kind === "hidden module" || kind === "freed init"
    ) return false;
  }
  return true;
}
