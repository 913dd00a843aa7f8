/**
 * Raw memory, without any headers: a JSON file beside it says which bytes are
 * which of the guest. `web1.raw.layout.json` belongs to `web1.raw`:
 *
 * ```json
 * {
 *   "ranges": [
 *     { "start": "0x0", "end": "0x80000000" },
 *     { "start": "0x100000000", "end": "0x180000000", "offset": "0x80000000" }
 *   ]
 * }
 * ```
 *
 * Numbers are GPAs and offsets in bytes, as JSON numbers or as text in hex; `end`
 * is one past the last byte. Without an offset, a range's bytes follow those of
 * the range before it.
 *
 * @module
 */
import { z } from "zod";
import { XftraceError } from "../../base/errors.ts";
import { isMissing } from "../../base/host_file/open.ts";
import { readHostFile } from "../../base/host_file/read.ts";
import { parseJson } from "../../base/json.ts";
import type { CorePart } from "../elf_core_parts.ts";

/** More bytes than a layout has. */
const MOST_BYTES = 1 << 20;
/** More ranges than a machine's memory has. */
const MOST_RANGES = 4096;
/** The highest address or offset: physical addresses have 52 bits. */
const MOST = 2 ** 52;

const place = z.union([
  z.int().nonnegative().max(MOST),
  z.string().regex(/^0x[\da-f]{1,14}$/i, "no number like 0x100000000")
    .transform(Number).refine((value) => value <= MOST, "more than 52 bits"),
]);

/** Checks a layout; members that are not known are an error. */
export const RawLayoutSchema = z.strictObject({
  /** The ranges of the guest's memory that the file holds. */
  ranges: z.array(z.strictObject({
    /** GPA of the first byte. */
    start: place,
    /** One past the GPA of the last byte. */
    end: place,
    /** Offset in the file; default: behind the range before it. */
    offset: place.optional(),
  })).min(1).max(MOST_RANGES),
});

/** The path of the layout of the raw memory in a file. */
export function layoutPath(path: string): string {
  return `${path}.layout.json`;
}

/**
 * The text of the layout beside a file; `undefined` when there is none, or when
 * this process may not look.
 *
 * @throws {XftraceError} when it cannot be read.
 */
export function readLayout(path: string): string | undefined {
  const beside = layoutPath(path);
  const { state } = Deno.permissions.querySync({ name: "read", path: beside });
  // A program that may only read the dump itself must not be asked for more.
  if (state !== "granted") return undefined;
  try {
    return new TextDecoder().decode(
      readHostFile(beside, { limit: MOST_BYTES, sized: true }),
    );
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * Where each range of raw memory is.
 *
 * @param path of the memory, for messages
 * @param text of its layout
 * @param size bytes of the memory
 * @throws {XftraceError} one sentence that names the layout and the place in it:
 * no JSON, another form, ranges that overlap, or that the file does not have.
 */
export function rawParts(path: string, text: string, size: number): CorePart[] {
  const fail = (what: string) =>
    new XftraceError(`${layoutPath(path)}: ${what}`);
  let value: unknown;
  if (text.length > MOST_BYTES) throw fail("is longer than any layout");
  try {
    value = parseJson(text);
  } catch (error) {
    throw new XftraceError(
      `${
        layoutPath(path)
      } is no JSON; write it like {"ranges": [{"start": "0x0", "end": "0x80000000"}]}`,
      { cause: error },
    );
  }
  const layout = RawLayoutSchema.safeParse(value);
  if (!layout.success) {
    const [issue] = layout.error.issues;
    throw fail(
      `${
        issue.path.join(".") || "the layout"
      }: ${issue.message.toLowerCase()}; write it like {"ranges": [{"start": "0x0", "end": "0x80000000"}]}`,
    );
  }
  let next = 0;
  let held = 0;
  const parts = layout.data.ranges.map(({ start, end, offset = next }, i) => {
    if (end <= start) throw fail(`ranges.${i} ends before it begins`);
    next = offset + end - start;
    held += end - start;
    if (next > size) {
      throw fail(
        `ranges.${i} ends at byte ${next} of ${path}, which has only ${size}; correct the layout, or dump or copy the memory again`,
      );
    }
    return { start, end, offset };
  }).sort((a, b) => a.start - b.start);
  parts.forEach(({ start }, i) => {
    if (i > 0 && start < parts[i - 1].end) {
      throw fail(
        `two ranges hold 0x${start.toString(16)}; each may stand once`,
      );
    }
  });
  // As for ELF cores: bytes that are many places at once are never done.
  if (held > 2 * size) {
    throw fail(`its ranges claim more memory than ${path} can hold`);
  }
  return parts;
}
