/**
 * The flame graph: the outermost functions above, what they called below them,
 * as wide as they took time.
 *
 * @module
 */
import { useMemo, useRef, useState } from "preact/hooks";
import type { PageTrace } from "../engine/output/page/data.ts";
import { boxText, type Surface, useCanvas } from "./canvas.ts";
import { Paint } from "./paint.ts";
import { TextField } from "./parts.tsx";
import { callees, foreignCalls, mergedStacks, type Stack } from "./stacks.ts";
import { chosenThreads, ThreadChoice } from "./threads.tsx";
import { count, duration, moduleOf, share, shown } from "./text.ts";

/** Height of a frame, in CSS pixels. */
const FRAME = 20;
/** Frames below each other that are drawn. */
const DEEPEST = 120;
/** Narrower frames are not drawn. */
const NARROWEST = 0.4;

/** A frame that is drawn. */
interface Frame {
  readonly stack: Stack;
  readonly x: number;
  readonly width: number;
  readonly row: number;
}

export function FlameGraph(
  { trace, threads, setThreads }: {
    trace: PageTrace;
    threads: string;
    setThreads: (choice: string) => void;
  },
) {
  const root = useMemo(
    () => mergedStacks(trace, chosenThreads(trace, threads)),
    [trace, threads],
  );
  const [zoomed, setZoomed] = useState<Stack>(root);
  const [chosen, choose] = useState<Stack | undefined>();
  const [search, setSearch] = useState("");
  const canvas = useRef<HTMLCanvasElement>(null);
  const frames = useRef<readonly Frame[]>([]);
  const top = rootOf(zoomed) === root ? zoomed : root;
  const rows = useMemo(() => Math.min(DEEPEST, depthBelow(top)), [top]);
  const above = pathTo(top);
  const matches = useMemo(() => {
    const word = search.toLowerCase();
    return word === ""
      ? undefined
      : trace.names.map((name) => name.toLowerCase().includes(word));
  }, [trace, search]);
  const matched = useMemo(
    () => matches === undefined ? 0 : matchedTime(top, matches),
    [top, matches],
  );
  useCanvas(canvas, (surface) => {
    frames.current = laidOut(top, above, surface.width);
    paint(surface, trace, frames.current, above.length, matches, chosen);
  });
  const at = (event: MouseEvent): Stack | undefined => {
    const row = Math.floor(event.offsetY / FRAME);
    return frames.current.find((frame) =>
      frame.row === row && event.offsetX >= frame.x &&
      event.offsetX < frame.x + Math.max(frame.width, 1)
    )?.stack;
  };
  const keys = (event: KeyboardEvent) => {
    const now = chosen !== undefined && rootOf(chosen) === root ? chosen : top;
    const next = moved(event.key, now, root);
    if (event.key === "Enter") setZoomed(now);
    else if (event.key === "Escape") setZoomed(root);
    else if (next === undefined) return;
    else {
      choose(next);
      // What is chosen must be within what is shown.
      if (!pathTo(next).includes(top)) setZoomed(next.parent ?? root);
    }
    event.preventDefault();
  };
  return (
    <>
      <div class="bar">
        <ThreadChoice trace={trace} value={threads} set={setThreads} />
        <TextField label="Search functions" value={search} set={setSearch} />
        <button
          type="button"
          disabled={top === root}
          onClick={() => setZoomed(root)}
        >
          Show all
        </button>
        {matches === undefined ? null : (
          <span role="status">
            {share(matched, top.width)} of the time is in what was found
          </span>
        )}
      </div>
      <div class="drawn scrolled">
        <canvas
          ref={canvas}
          class="flame"
          style={{ height: `${(above.length + rows) * FRAME}px` }}
          role="application"
          aria-label="Flame graph; arrow keys choose a function, Enter zooms, Escape shows all"
          aria-describedby="flame-detail"
          tabIndex={0}
          onMouseMove={(event) => choose(at(event) ?? chosen)}
          onClick={(event) => {
            const stack = at(event);
            if (stack !== undefined) setZoomed(stack);
          }}
          onKeyDown={keys}
        />
      </div>
      <p class="detail" id="flame-detail" role="status">
        {chosen === undefined || chosen.name < 0
          ? "Point at a function, or choose one with the arrow keys; a click or Enter zooms."
          : <Detail trace={trace} stack={chosen} whole={root.width} />}
      </p>
    </>
  );
}

function Detail(
  { trace, stack, whole }: { trace: PageTrace; stack: Stack; whole: number },
) {
  const name = trace.names[stack.name];
  const foreign = foreignCalls(trace, stack.foreign);
  return (
    <>
      <strong class="name">{shown(name)}</strong>
      {`: ${duration(stack.total, trace.unit)} (${
        share(stack.width, whole)
      }), ${duration(stack.self, trace.unit)} of its own, ${
        count(stack.calls)
      } calls`}
      {foreign.map(({ why, caller }, i) => (
        <span key={i} class="why">
          foreign: {why}; called by {shown(caller)}, module{" "}
          {shown(moduleOf(name) ?? moduleOf(caller) ?? "unknown")}
        </span>
      ))}
    </>
  );
}

/** The functions that lead to one, the outermost first, and itself. */
function pathTo(stack: Stack): Stack[] {
  const path: Stack[] = [];
  for (
    let at: Stack | undefined = stack;
    at !== undefined && at.name >= 0;
    at = at.parent
  ) path.unshift(at);
  return path;
}

function rootOf(stack: Stack): Stack {
  let at = stack;
  while (at.parent !== undefined) at = at.parent;
  return at;
}

/** How many levels there are below one. */
function depthBelow(top: Stack): number {
  let deepest = top.depth;
  const waiting = [top];
  for (let stack = waiting.pop(); stack !== undefined; stack = waiting.pop()) {
    deepest = Math.max(deepest, stack.depth);
    for (const each of stack.children.values()) waiting.push(each);
  }
  return Math.max(1, deepest - top.depth);
}

/** Frames of what leads to the top one, and of all that it called. */
function laidOut(
  top: Stack,
  above: readonly Stack[],
  width: number,
): Frame[] {
  const frames: Frame[] = above.map((stack, row) => ({
    stack,
    x: 0,
    width,
    row,
  }));
  const scale = top.width > 0 ? width / top.width : 0;
  const waiting: [Stack, number][] = [[top, 0]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [stack, start] = next;
    let x = start;
    const row = above.length + stack.depth - top.depth;
    if (row - above.length >= DEEPEST) continue;
    for (const each of callees(stack)) {
      const wide = each.width * scale;
      if (wide < NARROWEST) break;
      frames.push({ stack: each, x, width: wide, row });
      waiting.push([each, x]);
      x += wide;
    }
  }
  return frames;
}

function paint(
  { draw }: Surface,
  trace: PageTrace,
  frames: readonly Frame[],
  above: number,
  matches: readonly boolean[] | undefined,
  chosen: Stack | undefined,
): void {
  const paint = new Paint(trace);
  draw.font = "12px ui-monospace, monospace";
  draw.textBaseline = "middle";
  for (const { stack, x, width, row } of frames) {
    const y = row * FRAME;
    const wide = Math.max(0.5, width - 0.5);
    const foreign = stack.foreign.length > 0;
    const found = matches?.[stack.name];
    draw.globalAlpha = row < above || found === false ? 0.45 : 1;
    draw.fillStyle = foreign ? paint.foreign : paint.of(stack.name);
    draw.fillRect(x, y, wide, FRAME - 1);
    if (found === true) {
      draw.strokeStyle = paint.found;
      draw.lineWidth = 2;
      draw.strokeRect(x + 1, y + 1, Math.max(1, wide - 2), FRAME - 3);
    }
    draw.globalAlpha = 1;
    draw.fillStyle = foreign ? "#ffffff" : paint.ink;
    const name = shown(trace.names[stack.name]);
    boxText(draw, foreign ? `⚠ ${name}` : name, x, y + FRAME / 2, width);
    if (stack === chosen) {
      draw.strokeStyle = paint.text;
      draw.lineWidth = 2;
      draw.strokeRect(x + 1, y + 1, Math.max(1, wide - 2), FRAME - 3);
    }
  }
}

/** Where a key leads to from a function. */
function moved(key: string, from: Stack, root: Stack): Stack | undefined {
  const [first] = callees(from);
  if (key === "ArrowDown") return first ?? from;
  if (from === root) {
    return key === "ArrowUp" || key === "ArrowLeft" || key === "ArrowRight"
      ? first
      : undefined;
  }
  const parent = from.parent ?? root;
  if (key === "ArrowUp") return parent === root ? from : parent;
  const siblings = callees(parent);
  const at = siblings.indexOf(from);
  if (key === "ArrowLeft") return siblings[at - 1] ?? from;
  if (key === "ArrowRight") return siblings[at + 1] ?? from;
  return undefined;
}

/** Time in functions that were found, not counting any of it twice. */
function matchedTime(top: Stack, matches: readonly boolean[]): number {
  let sum = 0;
  const waiting = [top];
  for (let stack = waiting.pop(); stack !== undefined; stack = waiting.pop()) {
    if (stack.name >= 0 && matches[stack.name]) sum += stack.width;
    else for (const each of stack.children.values()) waiting.push(each);
  }
  return sum;
}
