/**
 * Findings of several checks about one place: text that was changed is seen by
 * each check that reads it, and is one thing to the reader of a report.
 *
 * @module
 */
import { SEVERITIES } from "../../detect/finding.ts";
import type { FindingJson } from "./findings_json.ts";

/** ATT&CK: modify system image. Such findings are about bytes of text. */
const TEXT = "T1601.001";
/** The longest branch that is patched in, in bytes. */
const BRANCH = 6n;

/** One place, and what was found there. */
export interface FoundPlace {
  /** The worst finding, of the first check that has it. */
  readonly main: FindingJson;
  /** What other checks found there. */
  readonly also: readonly FindingJson[];
}

/**
 * Groups findings by place, the worst first. Those of one check are never of one
 * place, nor those that are only near each other, unless one of them is about
 * bytes of text: a check may name the branch, and another its changed distance.
 */
export function foundPlaces(findings: readonly FindingJson[]): FoundPlace[] {
  const worstFirst = [...findings].sort((a, b) =>
    SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity)
  );
  const places: (FoundPlace & { also: FindingJson[] })[] = [];
  const near = new Map<bigint, typeof places>();
  for (const finding of worstFirst) {
    const address = BigInt(finding.address);
    const bucket = address / BRANCH;
    const place = [bucket - 1n, bucket, bucket + 1n]
      .flatMap((at) => near.get(at) ?? [])
      .find((place) => isOf(place, finding, address));
    if (place !== undefined) {
      place.also.push(finding);
      continue;
    }
    const one = { main: finding, also: [] };
    places.push(one);
    near.set(bucket, [...near.get(bucket) ?? [], one]);
  }
  return places;
}

function isOf(
  { main, also }: FoundPlace,
  finding: FindingJson,
  address: bigint,
): boolean {
  if ([main, ...also].some(({ check }) => check === finding.check)) {
    return false;
  }
  const distance = address - BigInt(main.address);
  if (distance === 0n) return true;
  const text = main.technique === TEXT || finding.technique === TEXT;
  return text && distance > -BRANCH && distance < BRANCH;
}
