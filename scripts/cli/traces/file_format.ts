/**
 * The format of a file that is written, by its name.
 *
 * @module
 */
import { formatNamed, type TraceFormat } from "xftrace/output";
import { usage } from "../option_values.ts";

/** How the names of files end, and the formats that they mean. */
const ENDINGS: readonly (readonly [RegExp, string])[] = [
  [/\.dat$/, "dat"],
  [/\.pftrace$|\.perfetto-trace$/, "perfetto"],
  [/\.speedscope(?:\.json)?$/, "speedscope"],
  [/\.folded$/, "folded"],
  [/\.pb\.gz$|\.pprof$/, "pprof"],
  [/\.parquet$/, "parquet"],
  [/\.jsonl$/, "jsonl"],
  [/\.html?$/, "html"],
  [/\.txt$/, "text"],
];

/** What {@linkcode formatOfFile} takes, for help texts. */
export const ENDINGS_HELP =
  "by the ending of its name: .dat, .pftrace, .speedscope.json, .folded, .pb.gz, .parquet, .jsonl, .html, .txt";

/**
 * The format in which to write a file.
 *
 * @param given the format that the user names, if any
 * @throws {XftraceError} when the name does not tell.
 */
export function formatOfFile(path: string, given?: string): TraceFormat {
  const name = given ?? ENDINGS.find(([ending]) => ending.test(path))?.[1];
  if (name !== undefined) return formatNamed(name);
  throw usage(
    `the name ${path} does not tell in which format to write; give one with --format, or a name that ends with .dat, .pftrace, .speedscope.json, .folded, .pb.gz, .parquet, .jsonl, .html or .txt`,
  );
}
