/**
 * A known stream of events: shells in the guest write numbered lines to
 * trace_marker, and count those that were accepted. Meanwhile the buffers are
 * changed, and a follower reads them.
 *
 * @module
 */
import type {
  EventColumns,
  PageArena,
} from "../../../engine/ftrace/ring/columns.ts";
import { Follower } from "../../../engine/ftrace/ring/follower.ts";
import type { FollowTotals } from "../../../engine/ftrace/ring/follower.ts";
import { traceLayout } from "../../../engine/ftrace/ring/meta.ts";
import { TraceArray } from "../../../engine/ftrace/ring/trace_array.ts";
import { attachTo, type Guest, SLOW, TRACEFS } from "../support_fixture.ts";

/** The result of one stream. */
export interface Followed {
  /** Lines that the guest's kernel accepted. */
  readonly accepted: number;
  /** Lines that were decoded, each counted once. */
  readonly decoded: number;
  /** Lines that were decoded a second time, or out of order. */
  readonly repeated: number;
  /** Decoded events that are not lines. */
  readonly others: number;
  readonly totals: FollowTotals;
}

const START = (pause: string) => `
cd ${TRACEFS}; echo 1 > tracing_on; rm -f /tmp/count.*; touch /tmp/go
for t in a b; do
  ( i=0; ok=0
    while [ -e /tmp/go ]; do
      i=$((i+1)); echo "$t$i" && ok=$((ok+1))
      ${pause}
    done > trace_marker 2> /dev/null
    echo $ok > /tmp/count.$t ) > /dev/null 2>&1 &
done`;

const STOP = `
rm -f /tmp/go
for i in $(seq 100); do [ -s /tmp/count.a ] && [ -s /tmp/count.b ] && break; usleep 50000; done
cat /tmp/count.a /tmp/count.b`;

/**
 * Follows while the guest writes lines and runs \`churn\`, or it is done to the
 * guest.
 *
 * @param pollMs time between polls
 */
export async function followMarkers(
  guest: Guest,
  churn: string | (() => Promise<unknown>),
  options: { readonly pollMs?: number; readonly pause?: string } = {},
): Promise<Followed> {
  using session = attachTo(guest);
  const { kernel } = session;
  const layout = traceLayout(kernel.types);
  const textAt = kernel.types.offset("print_entry", "buf");
  const follower = new Follower(TraceArray.global(kernel), layout);
  const last = new Map<string, number>();
  let decoded = 0;
  let repeated = 0;
  let others = 0;
  const visit = (columns: EventColumns, row: number, arena: PageArena) => {
    if (columns.type[row] !== layout.types.print) {
      others++;
      return;
    }
    const at = columns.offset[row] + textAt;
    let text = "";
    for (let i = at; arena.bytes[i] > 32; i++) {
      text += String.fromCharCode(arena.bytes[i]);
    }
    const tag = text[0];
    const number = Number(text.slice(1));
    if (!(number > (last.get(tag) ?? 0))) repeated++;
    last.set(tag, number);
    decoded++;
  };
  let over = false;
  const work = (async () => {
    try {
      await guest.sh(START(options.pause ?? ""), SLOW);
      await (typeof churn === "string" ? guest.sh(churn, SLOW) : churn());
      return await guest.sh(STOP, SLOW);
    } finally {
      over = true;
    }
  })();
  while (!over) {
    follower.poll();
    follower.drain(visit);
    await new Promise((resolve) => setTimeout(resolve, options.pollMs ?? 20));
  }
  const counts = await work;
  for (let i = 0; i < 3; i++) {
    follower.poll();
    follower.drain(visit, { all: true });
  }
  const accepted = counts.trim().split("\n")
    .reduce((sum, line) => sum + Number(line), 0);
  return { accepted, decoded, others, repeated, totals: follower.totals() };
}
