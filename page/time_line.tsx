/**
 * The time line: what each CPU and thread did, and when.
 *
 * @module
 */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { PageTrace } from "../engine/output/page/data.ts";
import { useCanvas } from "./canvas.ts";
import { followGestures } from "./gestures.ts";
import { type Lane, lanesOf, type Sight } from "./lanes.ts";
import type { Rows } from "./load.ts";
import { heightOf, laneAt, paintLanes } from "./paint_lanes.ts";
import { TextField } from "./parts.tsx";
import { threadText } from "./threads.tsx";
import { duration, moment, shown } from "./text.ts";

/** The shortest time that is shown, in ns. */
const SHORTEST = 20;

export function TimeLine(
  { trace, rows, show }: {
    trace: PageTrace;
    rows: Rows;
    /** Lists the events between two times. */
    show: (from: number, to: number) => void;
  },
) {
  const lanes = useMemo(() => lanesOf(trace, rows), [trace, rows]);
  const height = useMemo(
    () => lanes.reduce((sum, lane) => sum + heightOf(lane), 0),
    [lanes],
  );
  const end = useMemo(
    () => Math.max(1, rows.length > 0 ? rows.ts[rows.length - 1] : 1),
    [rows],
  );
  const sight = useRef<Sight>({ from: 0, to: end, top: 0 });
  const canvas = useRef<HTMLCanvasElement>(null);
  const [search, setSearch] = useState("");
  const [pointed, setPointed] = useState("");
  const [range, setRange] = useState("");
  const matches = useMemo(() => {
    const word = search.toLowerCase();
    return word === ""
      ? undefined
      : trace.names.map((name) => name.toLowerCase().includes(word));
  }, [trace, search]);
  const again = useCanvas(canvas, (surface) => {
    paintLanes(surface, trace, lanes, sight.current, matches);
  });
  /** Moves the sight, within the trace. */
  const look = (from: number, to: number, top = sight.current.top) => {
    const length = Math.min(end, Math.max(SHORTEST, to - from));
    const start = Math.min(Math.max(0, from), end - length);
    const most = height + 24 - (canvas.current?.clientHeight ?? 0);
    sight.current = {
      from: start,
      to: start + length,
      top: Math.min(Math.max(0, top), Math.max(0, most)),
    };
    setRange(
      `${duration(length, trace.unit)} from ${moment(start, trace.unit)}`,
    );
    again();
  };
  const zoom = (factor: number, middle = 0.5) => {
    const { from, to } = sight.current;
    const length = Math.min(end, Math.max(SHORTEST, (to - from) * factor));
    const at = from + (to - from) * middle;
    look(at - length * middle, at + length * (1 - middle));
  };
  const pan = (share: number, down = 0) => {
    const { from, to, top } = sight.current;
    const by = (to - from) * share;
    look(from + by, to + by, top + down);
  };
  const point = (x: number, y: number) => {
    const { clientWidth } = canvas.current ?? { clientWidth: 1 };
    setPointed(described(trace, lanes, sight.current, clientWidth, x, y));
  };
  useEffect(() => {
    look(0, end, 0);
    return canvas.current === null
      ? undefined
      : followGestures(canvas.current, { zoom, pan, point });
  }, [lanes]);
  const keys = (event: KeyboardEvent) => {
    switch (event.key) {
      case "ArrowLeft":
        pan(-0.15);
        break;
      case "ArrowRight":
        pan(0.15);
        break;
      case "ArrowUp":
        pan(0, -60);
        break;
      case "ArrowDown":
        pan(0, 60);
        break;
      case "+":
      case "=":
        zoom(0.6);
        break;
      case "-":
        zoom(1 / 0.6);
        break;
      case "Home":
        look(0, end, 0);
        break;
      default:
        return;
    }
    event.preventDefault();
  };
  /** Goes to the next call or event that was searched for. */
  const next = (step: 1 | -1) => {
    if (matches === undefined) return;
    const { from, to, top } = sight.current;
    const middle = (from + to) / 2;
    const found = nextMatch(rows, matches, middle, step);
    if (found === undefined) return;
    look(found - (to - from) / 2, found + (to - from) / 2, top);
  };
  return (
    <>
      <div class="bar">
        <TextField
          label="Search functions and events"
          value={search}
          set={setSearch}
        />
        <button
          type="button"
          disabled={matches === undefined}
          onClick={() => next(-1)}
        >
          Previous
        </button>
        <button
          type="button"
          disabled={matches === undefined}
          onClick={() => next(1)}
        >
          Next
        </button>
        <button type="button" onClick={() => zoom(0.5)}>Zoom in</button>
        <button type="button" onClick={() => zoom(2)}>Zoom out</button>
        <button type="button" onClick={() => look(0, end, 0)}>Show all</button>
        <button
          type="button"
          onClick={() => show(sight.current.from, sight.current.to)}
        >
          List these events
        </button>
      </div>
      <p class="quiet" role="status" id="time-range">{range}</p>
      <div class="drawn">
        <canvas
          ref={canvas}
          class="time-line"
          role="application"
          aria-label="Time line of CPUs and threads; left and right move, plus and minus zoom, up and down scroll, Home shows all"
          aria-describedby="time-range"
          tabIndex={0}
          onKeyDown={keys}
        />
      </div>
      <p class="detail" role="status">
        {pointed === ""
          ? "The wheel zooms, with Shift it moves; drag to move in both directions. The bar of a CPU is as long as the events of one thread follow each other."
          : pointed}
      </p>
    </>
  );
}

/** What is at a place of the canvas, in words. */
function described(
  trace: PageTrace,
  lanes: readonly Lane[],
  { from, to, top }: Sight,
  width: number,
  x: number,
  y: number,
): string {
  const found = laneAt(lanes, y + top);
  if (found === undefined) return "";
  const { lane, layer } = found;
  const time = from + (to - from) * x / width;
  const pixel = (to - from) / width;
  const where = lane.kind === "cpu"
    ? `CPU ${lane.of}`
    : threadText(trace, lane.of);
  const moments = lane.lost.find((lost) => Math.abs(lost - time) < 3 * pixel);
  if (moments !== undefined) {
    return `${where}: events are missing before ${moment(moments, trace.unit)}`;
  }
  if (layer === undefined) return where;
  const at = Math.min(
    layer.firstEndingAt(time - pixel),
    layer.start.length - 1,
  );
  if (layer.start[at] > time + pixel || layer.end[at] < time - pixel) {
    return where;
  }
  const what = lane.kind === "cpu"
    ? threadText(trace, layer.what[at])
    : shown(trace.names[layer.what[at]]);
  const took = layer.end[at] - layer.start[at];
  return `${where}: ${what}${
    took > 0 ? `, ${duration(took, trace.unit)}` : ""
  }, at ${moment(layer.start[at], trace.unit)}`;
}

function nextMatch(
  rows: Rows,
  matches: readonly boolean[],
  from: number,
  step: 1 | -1,
): number | undefined {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rows.ts[middle] <= from) low = middle + 1;
    else high = middle;
  }
  for (
    let row = step === 1 ? low : low - 1;
    row >= 0 && row < rows.length;
    row += step
  ) {
    if (rows.ts[row] !== from && matches[rows.name[row]]) return rows.ts[row];
  }
  return undefined;
}
