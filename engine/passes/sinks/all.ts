/**
 * All sinks of the language, and the lookup of a sink by its kind.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import type { SinkSpec } from "../../query/spec.ts";
import { COLLECT } from "./collect.ts";
import { COUNT } from "./count.ts";
import { EACH } from "./each.ts";
import { FOLDED } from "./folded.ts";
import { GRAPH } from "./graph.ts";
import { HIST } from "./hist.ts";
import { JSON_LINES } from "./json.ts";
import { PRINT } from "./print.ts";
import type { SinkKind } from "./sink.ts";
import { STATS } from "./stats.ts";
import { TOP } from "./top.ts";

/** Every kind of sink. */
export const SINKS: readonly SinkKind[] = [
  PRINT,
  JSON_LINES,
  COLLECT,
  COUNT,
  HIST,
  STATS,
  TOP,
  GRAPH,
  FOLDED,
  EACH,
];

const BY_KIND: ReadonlyMap<string, SinkKind> = new Map(
  SINKS.map((sink) => [sink.kind, sink]),
);

/**
 * Finds the kind of sink that a script requests.
 *
 * @throws {XftraceError} when there is none.
 */
export function sinkKind({ kind }: SinkSpec): SinkKind {
  const found = BY_KIND.get(kind);
  if (found !== undefined) return found;
  throw new XftraceError(
    `there is no sink "${kind}"; there are ${[...BY_KIND.keys()].join(", ")}`,
  );
}
