/**
 * Which of the recorded boots of a VM is the present one.
 *
 * The guest's word does not decide it: the kernel's text does. As long as it
 * lies where it lay and is mostly the same, it is the same boot, whatever
 * release, BUILD-ID or boot time the guest states, and is compared with the
 * record. Otherwise the guest says, in effect, that it has been restarted; then
 * its clock must have been started after the last record was made.
 *
 * @module
 */
import { hexDigits } from "../../base/hex.ts";
import type { CodeReading } from "../reading/code_reading.ts";
import type { RecordedText, TextRecords } from "./text_record.ts";
import { withoutProbes } from "./live_sites.ts";
import { recordable } from "./recordable.ts";

/** The records of the present boot. */
export interface BootRecords {
  /** Whether this reading is the first of this boot: its text is recorded now. */
  readonly isNew: boolean;
  /** The kernel's text as recorded, or as it is recorded now. */
  readonly text: RecordedText;
  /** What the guest says about its kernel now: release and BUILD-ID. */
  readonly kernel: string;
  /**
   * Of a new boot: the newest record of an earlier boot of this VM; `undefined`
   * when this is the first.
   */
  readonly earlier: RecordedText | undefined;
  /**
   * The text with that name; `undefined` when none was recorded.
   *
   * @throws {XftraceError} when the record is damaged.
   */
  load(name: string): RecordedText | undefined;
  /** Stores a text. @throws {XftraceError} when it cannot be written. */
  save(name: string, start: bigint, bytes: Uint8Array): void;
}

/**
 * The share of bytes that are the same in two readings of one boot's text, at
 * least: with all functions traced, some 3 % differ. Other kernels' texts have
 * every fifth byte in common.
 */
const SAME = 0.8;

const known = new WeakMap<CodeReading, BootRecords>();

/**
 * Finds the present boot among the recorded ones; if it is none of them, its
 * text is recorded.
 *
 * @throws {XftraceError} when a record is damaged or cannot be written.
 * @throws {KernelError} when the text changes while it is to be recorded.
 */
export function bootRecords(
  reading: CodeReading,
  records: TextRecords,
): BootRecords {
  let found = known.get(reading);
  if (found === undefined) {
    found = find(reading, records);
    known.set(reading, found);
  }
  return found;
}

function find(reading: CodeReading, records: TextRecords): BootRecords {
  const { start, bytes } = reading.text;
  const { release, buildId } = reading.kernel.facts;
  const kernel = `${release} (BUILD-ID ${buildId ?? "none"})`;
  const own = withoutProbes(reading, bytes, start);
  const scope = (boot: string, text: RecordedText, rest: {
    readonly isNew: boolean;
    readonly earlier: RecordedText | undefined;
  }): BootRecords => ({
    ...rest,
    text,
    kernel,
    load: (name) => records.load(boot, name),
    save: (name, start, bytes) =>
      records.save(boot, name, { start, bytes, kernel }),
  });
  let earlier: RecordedText | undefined;
  for (const boot of records.boots()) {
    const text = records.load(boot, "kernel");
    if (text === undefined) continue;
    if (text.start === start && alike(text.bytes, own)) {
      return scope(boot, text, { isNew: false, earlier: undefined });
    }
    if (earlier === undefined || text.since > earlier.since) earlier = text;
  }
  const boot = hexDigits(crypto.getRandomValues(new Uint8Array(4)));
  const text = { start, bytes: recordable(reading, bytes, start), kernel };
  records.save(boot, "kernel", text);
  const since = new Date().toISOString();
  return scope(boot, { ...text, since }, { isNew: true, earlier });
}

/** Whether two texts are of one boot, but for what has been patched. */
function alike(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let same = 0;
  for (let i = 0; i < a.length; i++) if (a[i] === b[i]) same++;
  return same >= a.length * SAME;
}
