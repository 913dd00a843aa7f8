/**
 * Charts of counts: events over time, histograms of durations.
 *
 * @module
 */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { colour, onTheme } from "./theme.ts";
import { count, duration } from "./text.ts";

const HEIGHT = 180;

/** A chart of counts, whose data is also there as a text for screen readers. */
export function BarChart(
  { label, starts, end, counts, unit, logarithmic = false }: {
    label: string;
    /** Where each bar begins. */
    starts: readonly number[];
    /** Where the last one ends. */
    end: number;
    counts: readonly number[];
    unit: string;
    logarithmic?: boolean;
  },
) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (element === null || counts.length === 0) return;
    let plot: uPlot | undefined;
    const draw = () => {
      plot?.destroy();
      plot = new uPlot(
        options(element, unit, logarithmic),
        // Each step goes on to the start of the next one.
        [[...starts, end], [...counts, counts[counts.length - 1]]],
        element,
      );
    };
    draw();
    const resized = new ResizeObserver(() => {
      if (element.clientWidth > 0) {
        plot?.setSize({ width: element.clientWidth, height: HEIGHT });
      }
    });
    resized.observe(element);
    const forget = onTheme(draw);
    return () => {
      forget();
      resized.disconnect();
      plot?.destroy();
    };
  }, [label, starts.length, end, counts, unit, logarithmic]);
  let most = 0;
  counts.forEach((each, i) => {
    if (each > counts[most]) most = i;
  });
  const text = counts.length === 0
    ? `${label}: none`
    : `${label}; at most ${count(counts[most])}, at ${
      duration(starts[most], unit)
    }`;
  return (
    <figure>
      <figcaption>{text}</figcaption>
      <div class="chart" ref={place} role="img" aria-label={text} />
    </figure>
  );
}

function options(
  element: HTMLElement,
  unit: string,
  logarithmic: boolean,
): uPlot.Options {
  const ink = colour("--ink");
  const axis = {
    stroke: ink,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1 },
  };
  return {
    width: Math.max(200, element.clientWidth),
    height: HEIGHT,
    cursor: { y: false },
    legend: { show: true },
    scales: { x: { time: false, distr: logarithmic ? 3 : 1 } },
    axes: [
      {
        ...axis,
        values: (_, values) =>
          values.map((value) => value === null ? "" : duration(value, unit)),
        space: 70,
      },
      { ...axis, values: (_, values) => values.map(count), size: 70 },
    ],
    series: [
      {
        label: logarithmic ? "from" : "at",
        value: (_, value) => value === null ? "-" : duration(value, unit),
      },
      {
        label: logarithmic ? "calls" : "events",
        stroke: colour("--accent"),
        fill: colour("--accent-soft"),
        paths: uPlot.paths.stepped?.({ align: 1 }),
        points: { show: false },
        value: (_, value) => value === null ? "-" : count(value),
      },
    ],
  };
}
