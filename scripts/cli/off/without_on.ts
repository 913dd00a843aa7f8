/**
 * `xftrace off` on a guest that records by itself.
 *
 * @module
 */
import { type Session, XftraceError } from "xftrace";
import { setRecording } from "xftrace/control";
import { openInstance, readBuffers } from "xftrace/ftrace";
import {
  entryCounts,
  guestTextOptions,
  TEXT,
  traceMeta,
  writeBuffers,
} from "xftrace/output";
import { SealedTracer } from "xftrace/seal";
import { shellWord } from "xftrace/targets";
import { FileSink } from "../../collector/file_sink.ts";
import { givenGraphOptions } from "../graph_options.ts";
import { count, note, outLine } from "../terminal.ts";
import { Writing } from "../traces/writing.ts";
import { noteUnfollowed, type OffOptions } from "./text.ts";

/**
 * `off` without `on`: stops recording and writes what the buffers hold.
 *
 * @throws {XftraceError} when it does not record; the file is left as it is.
 */
export async function offWithoutOn(
  session: Session,
  options: OffOptions,
): Promise<void> {
  if (await tookBackModule(session)) return;
  const { instance, events, layout } = openInstance(session);
  if (
    !instance.recording ||
    entryCounts(readBuffers(instance, layout)).written === 0
  ) {
    throw new XftraceError(
      `no trace of \`xftrace on\` is on in ${session.target}, and by itself it records nothing: there is nothing to switch off; what its buffers hold: xftrace report -t ${
        shellWord(session.target)
      }`,
    );
  }
  await setRecording({ session, instance, events }, false);
  noteUnfollowed(instance);
  const reading = readBuffers(instance, layout);
  using file = new FileSink(options.output);
  using writing = new Writing(TEXT, (chunk) => file.write(chunk));
  const guest = guestTextOptions(instance);
  const graph = { ...guest.graph, ...givenGraphOptions(options) };
  writeBuffers(
    reading,
    {
      meta: traceMeta(instance, events, layout, { part: reading.part }),
      options: { ...guest, graph },
      target: session.target,
    },
    writing.writer,
  );
  file.commit();
  writing[Symbol.dispose]();
  const { entries, written } = entryCounts(reading);
  note("`xftrace on` was not run: this is what the guest's buffers held");
  outLine(
    `${options.output}: ${count(entries)} events; overwritten before: ${
      count(written - entries)
    }`,
  );
}

/** How long a host that traces may leave the module without a heartbeat, ms. */
const SILENT_MS = 5000;
const LOOK_MS = 100;

/**
 * Switches the guest's module off, if it records and no host reads it any more:
 * whoever began that was killed.
 *
 * @returns whether it did so
 * @throws {XftraceError} when somebody else traces.
 */
async function tookBackModule(session: Session): Promise<boolean> {
  const tracer = SealedTracer.find(session);
  if (tracer?.enabled !== true) return false;
  const before = tracer.heartbeat;
  const end = performance.now() + SILENT_MS;
  while (performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    if (tracer.heartbeat === before) continue;
    throw new XftraceError(
      `the module of ${session.target} records for a command of somebody else, which runs: end that one`,
    );
  }
  await tracer.takeBack();
  note(
    `the module of ${session.target} was left on by a command that was killed; it is off now`,
  );
  return true;
}
