/**
 * What a search found, as text.
 *
 * @module
 */
import type { Searched } from "./searched.ts";

/** One line: the check, how much was tried, what is left. */
export function summaryText(
  { hook, alone, bulk, after, mutations, runs, blinding, faults }: Searched,
  ms: number,
): string {
  const places = new Set(blinding.map(({ word }) => word)).size;
  return `${hook.check}  ${alone.tried} of ${alone.words} words read alone, ` +
    `${bulk.tried} of ${bulk.words} others, ${after} read afterwards; ` +
    `${mutations} changes in ${runs} runs: ${places} blinding${
      faults.length > 0 ? `, ${faults.length} faults` : ""
    }  (${(ms / 1000).toFixed(0)} s; ${hook.what})`;
}

/** The blinding words, one a line, each with the changes that blind. */
export function wordsText({ blinding, faults }: Searched): string {
  const words = Map.groupBy(blinding, ({ word }) => word);
  return [
    ...[...words].map(([word, found]) =>
      `    ${word}\n        ${
        found.slice(0, 6).map(({ before, mutation }) =>
          `${mutation.how}: ${before.toString(16)} -> ${
            mutation.value.toString(16)
          }`
        ).join("; ")
      }${found.length > 6 ? `; and ${found.length - 6} more` : ""}`
    ),
    ...faults.slice(0, 8).map((fault) => `    ${fault}`),
  ].join("\n");
}
