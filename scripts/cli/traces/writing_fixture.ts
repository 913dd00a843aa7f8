/**
 * Writes a trace for as many ms as the argument says. For the test of
 * writing.ts.
 *
 * @module
 */
import { formatNamed } from "xftrace/output";
import { Counted } from "../terminal.ts";
import { Writing } from "./writing.ts";

if (import.meta.main) {
  const until = performance.now() + Number(Deno.args[0]);
  const jsonl = formatNamed("jsonl");
  using writing = new Writing(
    {
      ...jsonl,
      writer: (sink) => ({
        ...jsonl.writer(sink),
        events: () => sink("a line\n"),
        end: () => {},
        leftOut: () => ["2 things were left out"],
      }),
    },
    () => {},
  );
  using counted = new Counted("things");
  // Nothing of the run is used but how many rows it has.
  const run = { from: 0, to: 1000 } as Parameters<
    typeof writing.writer.events
  >[0];
  while (performance.now() < until) {
    writing.writer.events(run);
    counted.add();
  }
  writing.writer.end({ events: 0, lost: 0, dropped: 0 });
  writing.tellLeftOut();
}
