/**
 * `json()`: a line of JSON for each event.
 *
 * @module
 */
import { shownJson } from "../../base/shown.ts";
import type { EventLike, SinkSpec } from "../../query/spec.ts";
import type { Frame } from "../fields/frame.ts";
import { AsTheyCome, type SinkKind } from "./sink.ts";

/** The options of `json()`. */
export interface JsonSpec extends SinkSpec {
  readonly kind: "json";
}

/** The result is the number of events written. */
export const JSON_LINES: SinkKind<JsonSpec, number> = {
  kind: "json",
  asTheyCome: true,
  text: () => "json()",
  make: (_spec, context) => new JsonSink(context),
};

/** An event as JSON, with 64-bit addresses as hex strings. */
export function eventJson(event: EventLike): string {
  return shownJson(JSON.stringify(
    event,
    (_key, value) =>
      typeof value === "bigint" ? `0x${value.toString(16)}` : value,
  ));
}

class JsonSink extends AsTheyCome {
  override take(frame: Frame, rows: Uint32Array, n: number): void {
    const { event, write } = this.context;
    let text = "";
    for (let i = 0; i < n; i++) {
      text += eventJson(event.copy(frame, rows[i])) + "\n";
    }
    if (text !== "") write(text);
    this.count += n;
  }
}
