/**
 * `for await` and `into(output)`: pass each event to the script.
 *
 * @module
 */
import type { EventLike, SinkSpec } from "../../query/spec.ts";
import type { Frame } from "../fields/frame.ts";
import { AsTheyCome, type SinkContext, type SinkKind } from "./sink.ts";

/** The options of `for await` and `into(output)`. */
export interface EachSpec extends SinkSpec {
  readonly kind: "each";
  /** Called with a copy of each event, which may be kept. */
  readonly take: (event: EventLike) => void;
}

/** The result is the number of events passed on. */
export const EACH: SinkKind<EachSpec, number> = {
  kind: "each",
  asTheyCome: true,
  text: () => "each event to the script",
  make: ({ take }, context) => new EachSink(take, context),
};

class EachSink extends AsTheyCome {
  readonly #take: (event: EventLike) => void;

  constructor(take: (event: EventLike) => void, context: SinkContext) {
    super(context);
    this.#take = take;
  }

  override take(frame: Frame, rows: Uint32Array, n: number): void {
    for (let i = 0; i < n; i++) {
      this.#take(this.context.event.copy(frame, rows[i]));
    }
    this.count += n;
  }
}
