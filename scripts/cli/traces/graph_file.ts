/**
 * The file with the call graph of a sealed recording.
 *
 * @module
 */
import { OutputFile, textBytes } from "xftrace/output";
import { Counted } from "../terminal.ts";
import { type ReportedRecording, reportRecording } from "xftrace/seal";

/** How many characters are written at a time. */
const PIECE = 1 << 16;

/**
 * Verifies a recording, and writes its call graph line by line: the graph of an
 * hour has hundreds of MiB.
 *
 * @param option the option that names the file, for messages
 * @throws {XftraceError} when a file cannot be read or written.
 */
export function writeGraph(
  path: string,
  klogPath: string | undefined,
  output: string,
  option: string,
): ReportedRecording & { readonly lines: number } {
  using file = new OutputFile(output, { option });
  using written = new Counted("lines of the call graph");
  let lines = 0;
  let piece = "";
  const report = reportRecording(path, klogPath, (line) => {
    lines++;
    written.add();
    piece += `${line}\n`;
    if (piece.length < PIECE) return;
    file.write(textBytes(piece));
    piece = "";
  });
  file.write(textBytes(piece));
  file.commit();
  return { ...report, lines };
}
