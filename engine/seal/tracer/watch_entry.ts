/**
 * What is looked at in each verified entry while a trace goes on: addresses,
 * which get names later, and commands, which the host must have given.
 *
 * @module
 */
import { ENTRY, KIND } from "../page/abi.ts";
import type { PresenceFinding } from "../page/presence.ts";
import { noteAddress, type Running } from "./running_trace.ts";

/**
 * Looks at the entry that begins at a word.
 *
 * @param sent the commands that the host gave: number and which
 */
export function watchEntry(
  running: Running,
  sent: ReadonlyMap<number, number>,
  words: Int32Array,
  at: number,
): PresenceFinding | undefined {
  const kind = (words[at + ENTRY.depth / 4] >>> 16) & 0xff;
  if (kind === KIND.entry || kind === KIND.return) {
    noteAddress(running, words, at + ENTRY.func / 4);
    noteAddress(running, words, at + ENTRY.caller / 4);
  } else if (kind === KIND.command) {
    const number = words[at + ENTRY.func / 4] >>> 0;
    const command = words[at + ENTRY.caller / 4];
    if (sent.get(number) !== command) {
      return {
        problem: "foreign command",
        detail:
          `the module carried out command ${number} (kind ${command}), which the host did not send`,
      };
    }
  }
  return undefined;
}
