/**
 * `print()`: a line for each event.
 *
 * @module
 */
import type { SinkSpec } from "../../query/spec.ts";
import type { Frame } from "../fields/frame.ts";
import { AsTheyCome, type SinkKind } from "./sink.ts";

/** Text is passed on in pieces of about this many characters. */
const PIECE = 65536;

/** The options of `print()`. */
export interface PrintSpec extends SinkSpec {
  readonly kind: "print";
}

/** The result is the number of events printed. */
export const PRINT: SinkKind<PrintSpec, number> = {
  kind: "print",
  asTheyCome: true,
  text: () => "print()",
  make: (_spec, context) => new PrintSink(context),
};

class PrintSink extends AsTheyCome {
  override take(frame: Frame, rows: Uint32Array, n: number): void {
    let text = "";
    for (let i = 0; i < n; i++) {
      text += this.context.line(frame, rows[i]);
      if (text.length > PIECE) {
        this.context.write(text);
        text = "";
      }
    }
    if (text !== "") this.context.write(text);
    this.count += n;
  }
}
