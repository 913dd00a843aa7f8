/**
 * How plans write the moments at which a trace begins or ends.
 *
 * @module
 */
import type { Moment } from "../../engine/query/spec.ts";

/** A moment as text: `5s`, `100 events`. */
export function momentText(moment: Moment): string {
  switch (moment.kind) {
    case "time": {
      const { ns } = moment;
      if (ns % 1e9 === 0) return `${ns / 1e9}s`;
      if (ns % 1e6 === 0) return `${ns / 1e6}ms`;
      return ns % 1e3 === 0 ? `${ns / 1e3}us` : `${ns}ns`;
    }
    case "count":
      return moment.events === 1 ? "1 event" : `${moment.events} events`;
    case "event":
      return `event ${moment.name.name}`;
    case "closure":
      return "closure";
    case "signal":
      return "signal";
  }
}

/** When a trace ends, as text: the first of several moments ends it. */
export function untilText(moments: readonly Moment[], live: boolean): string {
  if (moments.length > 0) return moments.map(momentText).join(" or ");
  return live ? "Ctrl-C" : "the end";
}
