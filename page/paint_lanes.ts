/**
 * Draws the time line: never more boxes than there are pixels.
 *
 * @module
 */
import type { PageTrace } from "../engine/output/page/data.ts";
import { boxText, type Surface } from "./canvas.ts";
import type { Lane, Layer, Sight } from "./lanes.ts";
import { foreignNames, Paint } from "./paint.ts";
import { threadText } from "./threads.tsx";
import { duration, shown } from "./text.ts";

/** Heights in CSS pixels: the axis, a lane's title, a layer. */
const AXIS = 22;
const TITLE = 17;
const LAYER = 15;

/** The height of a lane. */
export function heightOf({ layers }: Lane): number {
  return TITLE + Math.max(1, layers.length) * LAYER + 5;
}

/** The lane and the layer at a height, as if nothing were scrolled. */
export function laneAt(
  lanes: readonly Lane[],
  y: number,
): { lane: Lane; layer: Layer | undefined } | undefined {
  let top = AXIS;
  for (const lane of lanes) {
    const height = heightOf(lane);
    if (y >= top && y < top + height) {
      const layer = Math.floor((y - top - TITLE) / LAYER);
      return { lane, layer: lane.layers[layer] };
    }
    top += height;
  }
  return undefined;
}

/** Draws the lanes that are seen. */
export function paintLanes(
  surface: Surface,
  trace: PageTrace,
  lanes: readonly Lane[],
  sight: Sight,
  matches: readonly boolean[] | undefined,
): void {
  const { draw, width, height } = surface;
  const paint = new Paint(trace);
  draw.textBaseline = "middle";
  draw.font = "11px ui-monospace, monospace";
  paintGrid(surface, trace, sight, paint);
  let top = AXIS - sight.top;
  for (const lane of lanes) {
    const own = heightOf(lane);
    if (top + own > AXIS && top < height) {
      paintLane(surface, trace, lane, sight, matches, paint, top);
    }
    top += own;
  }
  // The axis lies above what is scrolled.
  draw.globalAlpha = 1;
  draw.fillStyle = paint.paper;
  draw.fillRect(0, 0, width, AXIS);
  paintAxis(surface, trace, sight, paint);
}

function paintLane(
  { draw, width }: Surface,
  trace: PageTrace,
  lane: Lane,
  { from, to }: Sight,
  matches: readonly boolean[] | undefined,
  paint: Paint,
  top: number,
): void {
  const scale = width / (to - from);
  const isCpu = lane.kind === "cpu";
  draw.fillStyle = paint.line;
  draw.fillRect(0, top, width, 1);
  draw.fillStyle = paint.text;
  draw.fillText(
    isCpu ? `CPU ${lane.of}` : threadText(trace, lane.of),
    4,
    top + TITLE / 2 + 1,
  );
  const foreign = foreignNames(trace);
  let y = top + TITLE;
  for (const layer of lane.layers) {
    const { start, end, what } = layer;
    const count = start.length;
    for (let i = layer.firstEndingAt(from); i < count && start[i] < to;) {
      const x = (start[i] - from) * scale;
      const wide = (end[i] - start[i]) * scale;
      const is = what[i];
      const red = !isCpu && foreign.has(is);
      draw.fillStyle = red
        ? paint.foreign
        : isCpu
        ? paint.ofThread(is)
        : paint.of(is);
      draw.globalAlpha = isCpu || matches?.[is] !== false ? 1 : 0.25;
      if (wide < 2) {
        // One box stands for all that begin within its pixel.
        draw.fillRect(x, y, Math.max(1, wide), LAYER - 2);
        const next = layer.firstStartingAt(from + (Math.floor(x) + 1) / scale);
        i = Math.max(i + 1, next);
        continue;
      }
      const left = Math.max(0, x);
      const right = Math.min(width, x + wide);
      draw.fillRect(left, y, right - left - 0.5, LAYER - 2);
      draw.fillStyle = red ? "#ffffff" : paint.ink;
      const text = isCpu ? threadText(trace, is) : shown(trace.names[is]);
      boxText(
        draw,
        red ? `⚠ ${text}` : text,
        left,
        y + LAYER / 2 - 1,
        right - left,
      );
      i++;
    }
    draw.globalAlpha = 1;
    y += LAYER;
  }
  draw.fillStyle = paint.bad;
  let last = -Infinity;
  for (const lost of lane.lost) {
    const x = Math.round((lost - from) * scale);
    if (x < 0 || x > width || x === last) continue;
    draw.fillRect(x, top + 2, 2, heightOf(lane) - 4);
    last = x;
  }
}

/** Times at which there are marks: round ones, some 100 pixels apart. */
function marks({ from, to }: Sight, width: number): number[] {
  const rough = (to - from) * 110 / width;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power)
    .find((each) => each >= rough) ?? rough;
  const times: number[] = [];
  for (
    let time = Math.ceil(from / step) * step;
    time <= to && times.length < 100;
    time += step
  ) times.push(time);
  return times;
}

function paintGrid(
  { draw, width, height }: Surface,
  _trace: PageTrace,
  sight: Sight,
  paint: Paint,
): void {
  draw.fillStyle = paint.line;
  for (const time of marks(sight, width)) {
    const x = (time - sight.from) / (sight.to - sight.from) * width;
    draw.fillRect(Math.round(x), AXIS, 0.5, height);
  }
}

function paintAxis(
  { draw, width }: Surface,
  { unit }: PageTrace,
  sight: Sight,
  paint: Paint,
): void {
  draw.fillStyle = paint.quiet;
  const all = marks(sight, width);
  const step = all.length > 1 ? all[1] - all[0] : 0;
  for (const time of all) {
    const x = (time - sight.from) / (sight.to - sight.from) * width;
    draw.fillText(axisText(time, step, unit), x + 3, AXIS / 2);
    draw.fillRect(Math.round(x), AXIS - 6, 1, 6);
  }
}

/** A time with as many digits as tell it from the next mark. */
function axisText(time: number, step: number, unit: string): string {
  if (unit !== "ns") return duration(time, unit);
  const [size, name] = step >= 1e9
    ? [1e9, "s"]
    : step >= 1e6
    ? [1e6, "ms"]
    : step >= 1e3
    ? [1e3, "µs"]
    : [1, "ns"];
  return `${Math.round(time / Number(size)).toLocaleString("en-US")} ${name}`;
}
