/**
 * From a sink as the script asks for it to one at work.
 *
 * @module
 */
import type { SinkSpec } from "../../query/spec.ts";
import { CountSink } from "./count.ts";
import {
  CollectSink,
  EachSink,
  JsonSink,
  PrintSink,
  TopSink,
} from "./events.ts";
import { FoldedSink, GraphSink } from "./graph.ts";
import { HistSink } from "./hist.ts";
import type { Sink, SinkContext } from "./sink.ts";
import { StatsSink } from "./stats.ts";

/** Makes the sink. */
export function makeSink(spec: SinkSpec, context: SinkContext): Sink {
  switch (spec.kind) {
    case "print":
      return new PrintSink(context);
    case "json":
      return new JsonSink(context);
    case "collect":
      return new CollectSink(spec.limit ?? Infinity, context);
    case "count":
      return new CountSink(spec.by, context);
    case "hist":
      return new HistSink(spec.field, spec.by, spec.linear, context);
    case "stats":
      return new StatsSink(spec.field, spec.by, context);
    case "top":
      return new TopSink(spec.n, spec.field, context);
    case "graph":
      return new GraphSink(context);
    case "folded":
      return new FoldedSink(spec.weight, context);
    case "each":
      return new EachSink(spec.take, context);
  }
}

/** A sink as a plan names it: `count(comm)`. */
export function sinkText(spec: SinkSpec): string {
  switch (spec.kind) {
    case "collect":
      return spec.limit === undefined ? "collect()" : `collect(${spec.limit})`;
    case "count":
      return `count(${spec.by.join(", ")})`;
    case "hist": {
      const linear = spec.linear === undefined
        ? ""
        : `, ${spec.linear.from} to ${spec.linear.to} by ${spec.linear.step}`;
      return `hist(${[spec.field, ...spec.by].join(", ")}${linear})`;
    }
    case "stats":
      return `stats(${[spec.field, ...spec.by].join(", ")})`;
    case "top":
      return `top(${spec.n}, ${spec.field})`;
    case "each":
      return "each event to the script";
    default:
      return `${spec.kind}()`;
  }
}
