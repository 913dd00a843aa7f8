/**
 * Canvases: sharp on any display, drawn again when their size or the colours
 * change, once for each frame at most.
 *
 * @module
 */
import type { RefObject } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { onTheme } from "./theme.ts";

/** A place to draw on, in CSS pixels. */
export interface Surface {
  readonly draw: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
}

/**
 * Draws on a canvas.
 *
 * @param paint draws everything
 * @returns what asks for it to be drawn again
 */
export function useCanvas(
  canvas: RefObject<HTMLCanvasElement | null>,
  paint: (surface: Surface) => void,
): () => void {
  const state = useMemo(() => ({ paint, waiting: 0 }), []);
  state.paint = paint;
  const again = useMemo(() => () => {
    state.waiting ||= requestAnimationFrame(() => {
      state.waiting = 0;
      const element = canvas.current;
      const surface = element === null ? undefined : surfaceOf(element);
      if (surface !== undefined) state.paint(surface);
    });
  }, []);
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const resized = new ResizeObserver(again);
    resized.observe(element);
    const forget = onTheme(again);
    return () => {
      resized.disconnect();
      forget();
      cancelAnimationFrame(state.waiting);
    };
  }, []);
  useEffect(again);
  return again;
}

function surfaceOf(element: HTMLCanvasElement): Surface | undefined {
  const draw = element.getContext("2d");
  const width = element.clientWidth;
  const height = element.clientHeight;
  if (draw === null || width === 0 || height === 0) return undefined;
  const scale = devicePixelRatio || 1;
  if (
    element.width !== Math.round(width * scale) ||
    element.height !== Math.round(height * scale)
  ) {
    element.width = Math.round(width * scale);
    element.height = Math.round(height * scale);
  }
  draw.setTransform(scale, 0, 0, scale, 0, 0);
  draw.clearRect(0, 0, width, height);
  return { draw, width, height };
}

/** Widths of a character, by font. */
const widths = new Map<string, number>();

function widthOf(draw: CanvasRenderingContext2D): number {
  let width = widths.get(draw.font);
  if (width === undefined) {
    width = draw.measureText("00000000").width / 8;
    widths.set(draw.font, width);
  }
  return width;
}

/** A text in a box, cut if it is too long; in no box if that is too narrow. */
export function boxText(
  draw: CanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  width: number,
): void {
  const room = Math.floor((width - 6) / widthOf(draw));
  if (room < 2) return;
  draw.fillText(
    text.length <= room ? text : `${text.slice(0, room - 1)}…`,
    x + 3,
    y,
  );
}
