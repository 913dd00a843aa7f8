/**
 * Options of the text from the words of `trace_options`, for recordings of
 * tests.
 *
 * @module
 */
import {
  DEFAULT_GRAPH_OPTIONS,
  DEFAULT_TEXT_OPTIONS,
  GRAPH_FLAGS,
  TRACE_FLAGS,
  type TraceTextOptions,
} from "./options.ts";

/**
 * Reads the options from the words of the guest's `trace_options` file
 * (`sym-offset`, `nofuncgraph-proc`); options that are not named keep their
 * defaults.
 */
export function optionsFromWords(words: Iterable<string>): TraceTextOptions {
  const set = new Map<string, boolean>();
  for (const word of words) {
    // This would cut a word like "notify..." in the wrong place, but no option
    // begins like that.
    if (word.startsWith("no")) set.set(word.substring(2), false);
    else set.set(word, true);
  }
  const options = { ...DEFAULT_TEXT_OPTIONS };
  for (const [key, name] of TRACE_FLAGS) {
    options[key] = set.get(name) ?? options[key];
  }
  const graph = { ...DEFAULT_GRAPH_OPTIONS };
  for (const [key, name] of GRAPH_FLAGS) {
    graph[key] = set.get(name) ?? graph[key];
  }
  return { ...options, graph };
}
