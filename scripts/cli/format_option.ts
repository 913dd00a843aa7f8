/**
 * The option `--format` of commands that write traces.
 *
 * @module
 */
import { formatNamed, FORMATS, type TraceFormat } from "xftrace/output";
import { givenGraphOptions, type GraphFlags } from "./graph_options.ts";
import { usage } from "./option_values.ts";

/** What `--format` takes, for help texts. */
export const FORMATS_HELP: string = FORMATS.map(({ name, about }) =>
  `${name}: ${about}`
).join("; ");

/** What `--raw` does, for help texts. */
export const RAW_HELP =
  "on a terminal, write the guest's texts as they are, with control characters";

/**
 * The format that a command line asks for.
 *
 * @throws {XftraceError} when there is none of that name, or when display
 *   options are given for one that does not follow them.
 */
export function chosenFormat(
  options: GraphFlags & { readonly format: string },
): TraceFormat {
  const format = formatNamed(options.format);
  const [given] = Object.entries(givenGraphOptions(options));
  if (format.display === true || given === undefined) return format;
  const [name, shown] = given;
  throw usage(
    `--${
      shown ? "" : "no-"
    }${name} is for text; --format ${format.name} does not follow it`,
  );
}
