/**
 * The text of a trace that a collector has kept: it writes it where `off` wants
 * it, or, when its guest ends first, beside what it keeps.
 *
 * @module
 */
import { statSync } from "node:fs";
import { absoluteOutput } from "xftrace/output";
import { FileSink } from "../../collector/file_sink.ts";
import { ask } from "../../collector/protocol.ts";
import type { CollectorResult, StateFolder } from "../../collector/state.ts";
import { givenGraphOptions, type GraphFlags } from "../graph_options.ts";
import { Progress } from "../terminal.ts";
import type { OffOptions } from "./text.ts";

/** How often to show that the collector is at work, ms. */
const SHOW_MS = 250;

/**
 * Has the collector end the trace and write its text; `undefined` when there is
 * no collector any more.
 *
 * @throws {XftraceError} when the text cannot be written.
 */
export async function finishCollector(
  folder: StateFolder,
  options: Pick<OffOptions, "output"> & GraphFlags,
): Promise<CollectorResult | undefined> {
  using progress = new Progress();
  const shows = setInterval(
    () => progress.update(`the collector writes ${options.output}`),
    SHOW_MS,
  );
  const reply = await ask(folder.socket, {
    do: "finish",
    output: absoluteOutput(options.output),
    graph: givenGraphOptions(options),
  }).finally(() => clearInterval(shows));
  return reply !== undefined && "result" in reply ? reply.result : undefined;
}

/**
 * Where the text is that a collector has written. It need not be where it was
 * asked for: the collector may have ended the trace just before.
 */
export function collectedText(
  folder: StateFolder,
  result: CollectorResult,
): string {
  return result.output ?? folder.text;
}

/**
 * Copies the text that a collector has written to where it was asked for.
 *
 * @returns `false` when it is not there any more.
 * @throws {XftraceError} when it cannot be written.
 */
export function bringText(text: string, output: string): boolean {
  if (text === absoluteOutput(output)) return true;
  // What went through a pipe cannot be had again.
  if (!statSync(text, { throwIfNoEntry: false })?.isFile()) return false;
  using source = Deno.openSync(text);
  using file = new FileSink(output);
  const piece = new Uint8Array(1 << 20);
  for (;;) {
    const got = source.readSync(piece);
    if (got === null) break;
    file.write(piece.subarray(0, got));
  }
  file.commit();
  return true;
}
