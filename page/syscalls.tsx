/**
 * System calls of each process, with results and arguments.
 *
 * @module
 */
import { useState } from "preact/hooks";
import type { PageSyscalls, PageTrace } from "../engine/output/page/data.ts";
import { Choice, SortedTable } from "./parts.tsx";
import { threadText } from "./threads.tsx";
import { Times } from "./times.tsx";
import { count, duration, fieldsText, shown } from "./text.ts";

/** Processes in the list. */
const MOST_CHOICES = 500;

export function Syscalls(
  { trace, show }: {
    trace: PageTrace;
    /** Shows the calls of a thread in the list of events. */
    show: (thread: number, name: string) => void;
  },
) {
  const { processes, names } = trace;
  const [chosen, choose] = useState("all");
  const calls = new Map<number, number>();
  for (const each of processes) {
    calls.set(each.thread, (calls.get(each.thread) ?? 0) + each.calls);
  }
  const byCalls = [...calls].sort(([, a], [, b]) => b - a);
  const rows = processes.filter(({ thread }) =>
    chosen === "all" || String(thread) === chosen
  );
  return (
    <>
      <div class="bar">
        <Choice
          label="Process"
          value={chosen}
          set={choose}
          options={[
            ["all", "all processes"],
            ...byCalls.slice(0, MOST_CHOICES).map((
              [thread, all],
            ): [string, string] => [
              String(thread),
              `${threadText(trace, thread)} (${count(all)} calls)`,
            ]),
          ]}
        />
      </div>
      <SortedTable<PageSyscalls>
        caption="System calls by process"
        rows={rows}
        first={2}
        columns={[
          { title: "Process", cell: ({ thread }) => threadText(trace, thread) },
          {
            title: "System call",
            cell: ({ thread, name }) => (
              <button
                type="button"
                class="link"
                title="show these calls in the list of events"
                onClick={() => show(thread, names[name])}
              >
                {shown(names[name])}
              </button>
            ),
          },
          {
            title: "Calls",
            value: (row) => row.calls,
            cell: (row) => count(row.calls),
          },
          {
            title: "Failed",
            value: ({ errors }) => failures(errors),
            cell: ({ errors }) =>
              errors.length === 0 ? "0" : (
                <span title={errorsText(errors)}>
                  {count(failures(errors))} <small>{errorsText(errors)}</small>
                </span>
              ),
          },
          {
            title: "Total",
            value: (row) => row.total,
            cell: (row) => duration(row.total, trace.unit),
          },
          {
            title: "Longest",
            value: (row) => row.max,
            cell: (row) => duration(row.max, trace.unit),
          },
          { title: "Arguments", cell: (row) => <Arguments row={row} /> },
        ]}
      />
      <Times trace={trace} times={trace.syscalls} what="System call" />
    </>
  );
}

/** The most frequent arguments; the others on request. */
function Arguments({ row: { args } }: { row: PageSyscalls }) {
  if (args.length === 0) return <>-</>;
  const [first, ...others] = args;
  return (
    <>
      <Counted of={first} />
      {others.length === 0 ? null : (
        <details>
          <summary>{count(others.length)} more</summary>
          <ul class="plain">
            {others.map((each, i) => (
              <li key={i}>
                <Counted of={each} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function Counted({ of: [args, times] }: { of: readonly [string, number] }) {
  return (
    <>
      <code>{fieldsText(args)}</code>{" "}
      <span class="quiet">{count(times)}&nbsp;×</span>
    </>
  );
}

function failures(errors: readonly number[]): number {
  return errors.reduce((sum, each, i) => i % 2 === 1 ? sum + each : sum, 0);
}

function errorsText(errors: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < errors.length; i += 2) {
    const name = NAMES[errors[i]] ?? `error ${errors[i]}`;
    parts.push(`${name} ${count(errors[i + 1])} ×`);
  }
  return parts.join(", ");
}

/** Names of errors that are the same on all architectures (errno-base.h). */
const NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  3: "ESRCH",
  4: "EINTR",
  5: "EIO",
  6: "ENXIO",
  7: "E2BIG",
  8: "ENOEXEC",
  9: "EBADF",
  10: "ECHILD",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  14: "EFAULT",
  15: "ENOTBLK",
  16: "EBUSY",
  17: "EEXIST",
  18: "EXDEV",
  19: "ENODEV",
  20: "ENOTDIR",
  21: "EISDIR",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  25: "ENOTTY",
  26: "ETXTBSY",
  27: "EFBIG",
  28: "ENOSPC",
  29: "ESPIPE",
  30: "EROFS",
  31: "EMLINK",
  32: "EPIPE",
  33: "EDOM",
  34: "ERANGE",
};
