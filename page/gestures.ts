/**
 * Zooming and moving by wheel, mouse and touch.
 *
 * @module
 */

/** What is done. */
export interface Moves {
  /** Shows more or less, around a place from 0 (left) to 1. */
  readonly zoom: (factor: number, middle: number) => void;
  /** Moves by a share of what is seen, and down by pixels. */
  readonly pan: (share: number, down: number) => void;
  /** Something is pointed at. */
  readonly point: (x: number, y: number) => void;
}

/** Follows gestures on an element; returns what ends that. */
export function followGestures(element: HTMLElement, moves: Moves): () => void {
  const fingers = new Map<number, { x: number; y: number }>();
  const stop = new AbortController();
  const { signal } = stop;
  element.addEventListener("wheel", (event) => {
    event.preventDefault();
    const across = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.shiftKey || Math.abs(across) > Math.abs(event.deltaY)) {
      moves.pan(across / 600, 0);
    } else {
      // A wheel may count lines or pages instead of pixels.
      const by = event.deltaY * [1, 30, 300][event.deltaMode];
      moves.zoom(
        Math.exp(Math.max(-1, Math.min(1, by / 400))),
        event.offsetX / element.clientWidth,
      );
    }
  }, { passive: false, signal });
  element.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    element.setPointerCapture(event.pointerId);
    moves.point(event.offsetX, event.offsetY);
  }, { signal });
  element.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    const now = { x: event.offsetX, y: event.offsetY };
    if (before === undefined) {
      moves.point(now.x, now.y);
      return;
    }
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, now);
    if (other === undefined) {
      moves.pan((before.x - now.x) / element.clientWidth, before.y - now.y);
      return;
    }
    const apart = (finger: { x: number }) =>
      Math.max(20, Math.abs(finger.x - other.x));
    const middle = (finger: { x: number }) =>
      (finger.x + other.x) / 2 / element.clientWidth;
    moves.zoom(apart(before) / apart(now), middle(now));
    moves.pan(middle(before) - middle(now), (before.y - now.y) / 2);
  }, { signal });
  const ended = (event: PointerEvent) => {
    fingers.delete(event.pointerId);
  };
  element.addEventListener("pointerup", ended, { signal });
  element.addEventListener("pointercancel", ended, { signal });
  return () => stop.abort();
}
