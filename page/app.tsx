/**
 * The page as a whole: its heading, and its views.
 *
 * @module
 */
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { PageData, PageTrace } from "../engine/output/page/data.ts";
import { CallTree } from "./call_tree.tsx";
import { FlameGraph } from "./flame.tsx";
import { Events } from "./events.tsx";
import { type Filter, NO_FILTER } from "./filter.ts";
import { loadRows, type Rows } from "./load.ts";
import { Choice } from "./parts.tsx";
import { Summary } from "./summary.tsx";
import { Syscalls } from "./syscalls.tsx";
import { chooseTheme, chosenTheme } from "./theme.ts";
import { TimeLine } from "./time_line.tsx";
import { Times } from "./times.tsx";
import { shown } from "./text.ts";

/** A view: its place in the address, and its name. */
type View = readonly [id: string, title: string];

export function App({ data }: { data: PageData }) {
  const views = useMemo(() => viewsOf(data), [data]);
  const [view, setView] = useState(() => viewInAddress(views));
  const [theme, setTheme] = useState(chosenTheme);
  useEffect(() => {
    const moved = () => setView(viewInAddress(views));
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, [views]);
  const go = (id: string) => {
    history.replaceState(null, "", `#${id}`);
    setView(id);
  };
  return (
    <>
      <header>
        <h1>{shown(data.title)}</h1>
        <p class="quiet">
          by {data.by}
        </p>
        <Choice
          label="Colours"
          value={theme}
          set={(chosen) => {
            setTheme(chosen);
            chooseTheme(chosen);
          }}
          options={[["", "of the system"], ["light", "light"], [
            "dark",
            "dark",
          ]]}
        />
      </header>
      {views.length > 1 ? <Tabs views={views} view={view} go={go} /> : null}
      <main>
        <div
          id="view"
          {...(views.length > 1
            ? { role: "tabpanel", "aria-labelledby": `tab-${view}` }
            : {})}
        >
          {view === "summary" || data.trace === undefined
            ? <Summary data={data} />
            : <TraceView trace={data.trace} view={view} go={go} />}
        </div>
      </main>
    </>
  );
}

function viewsOf({ trace }: PageData): View[] {
  const views: View[] = [["summary", "Summary"]];
  if (trace === undefined) return views;
  if (trace.tree.name.length > 0) views.push(["flame", "Flame graph"]);
  if (trace.rows > 0) views.push(["time", "Time line"]);
  if (trace.tree.name.length > 0) {
    views.push(["functions", "Functions"], ["calls", "Call tree"]);
  }
  if (trace.processes.length > 0) views.push(["syscalls", "System calls"]);
  if (trace.rows > 0) views.push(["events", "Events"]);
  return views;
}

function viewInAddress(views: readonly View[]): string {
  const id = location.hash.slice(1);
  return views.some(([each]) => each === id) ? id : "summary";
}

/** The list of views; arrow keys move within it. */
function Tabs(
  { views, view, go }: {
    views: readonly View[];
    view: string;
    go: (id: string) => void;
  },
) {
  const list = useRef<HTMLDivElement>(null);
  const moved = (event: KeyboardEvent) => {
    const at = views.findIndex(([id]) => id === view);
    const to = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      Home: 0,
      End: views.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const [id] = views[(to + views.length) % views.length];
    go(id);
    list.current?.querySelector<HTMLElement>(`#tab-${id}`)?.focus();
  };
  return (
    <div
      class="tabs"
      role="tablist"
      aria-label="Views"
      ref={list}
      onKeyDown={moved}
    >
      {views.map(([id, title]) => (
        <button
          key={id}
          id={`tab-${id}`}
          type="button"
          role="tab"
          aria-selected={id === view}
          aria-controls="view"
          tabIndex={id === view ? 0 : -1}
          onClick={() => go(id)}
        >
          {title}
        </button>
      ))}
    </div>
  );
}

function TraceView(
  { trace, view, go }: {
    trace: PageTrace;
    view: string;
    go: (id: string) => void;
  },
) {
  const [threads, setThreads] = useState("all");
  const [filter, setFilter] = useState<Filter>(NO_FILTER);
  switch (view) {
    case "functions":
      return <Times trace={trace} times={trace.functions} what="Function" />;
    case "flame":
      return (
        <FlameGraph trace={trace} threads={threads} setThreads={setThreads} />
      );
    case "time":
      return (
        <WithRows trace={trace}>
          {(rows) => (
            <TimeLine
              trace={trace}
              rows={rows}
              show={(from, to) => {
                setFilter({ ...NO_FILTER, from, to });
                go("events");
              }}
            />
          )}
        </WithRows>
      );
    case "calls":
      return (
        <CallTree trace={trace} threads={threads} setThreads={setThreads} />
      );
    case "syscalls":
      return (
        <Syscalls
          trace={trace}
          show={(thread, name) => {
            setFilter({
              ...NO_FILTER,
              text: name.replace(/^sys_/, ""),
              threads: trace.threads.tgid[thread] > 0
                ? `p${thread}`
                : `t${thread}`,
            });
            go("events");
          }}
        />
      );
    default:
      return (
        <WithRows trace={trace}>
          {(rows) => (
            <Events
              trace={trace}
              rows={rows}
              filter={filter}
              setFilter={setFilter}
            />
          )}
        </WithRows>
      );
  }
}

let loading: Promise<Rows> | undefined;

/** Shows something as soon as the rows have been read. */
function WithRows(
  { trace, children }: {
    trace: PageTrace;
    children: (rows: Rows) => ComponentChildren;
  },
) {
  const [rows, setRows] = useState<Rows | undefined>();
  useEffect(() => {
    loading ??= loadRows(trace.rows);
    loading.then(setRows);
  }, [trace]);
  return rows === undefined
    ? <p role="status">The events are being read.</p>
    : <>{children(rows)}</>;
}
