/**
 * The choice of a thread or a process.
 *
 * @module
 */
import type { PageTrace } from "../engine/output/page/data.ts";
import { Choice } from "./parts.tsx";
import { count, shown } from "./text.ts";

/** Threads in the list; a guest may have thousands. */
const MOST_CHOICES = 500;

/** A thread's name, with its guest if there are several. */
export function threadText(trace: PageTrace, thread: number): string {
  const { guest, name } = trace.threads;
  const whose = trace.guests.length > 1
    ? `${shown(trace.guests[guest[thread]]?.target ?? "")} `
    : "";
  return whose + shown(name[thread] ?? "");
}

/** Whether a thread is among those that were chosen. */
export function chosenThreads(
  { threads }: PageTrace,
  choice: string,
): (thread: number) => boolean {
  const index = Number(choice.slice(1));
  if (choice.startsWith("t")) return (thread) => thread === index;
  if (!choice.startsWith("p")) return () => true;
  const { tgid, guest } = threads;
  return (thread) =>
    tgid[thread] === tgid[index] && guest[thread] === guest[index];
}

/** Chooses all threads, a process, or a thread. */
export function ThreadChoice(
  { trace, value, set }: {
    trace: PageTrace;
    value: string;
    set: (value: string) => void;
  },
) {
  const { threads } = trace;
  const byEvents = threads.name.map((_, thread) => thread)
    .filter((thread) => threads.events[thread] > 0)
    .sort((a, b) => threads.events[b] - threads.events[a]);
  const processes = new Map<string, number[]>();
  for (const thread of byEvents) {
    if (threads.tgid[thread] === 0) continue;
    const key = `${threads.guest[thread]} ${threads.tgid[thread]}`;
    const members = processes.get(key);
    if (members === undefined) processes.set(key, [thread]);
    else members.push(thread);
  }
  const groups = [...processes.values()].filter(({ length }) => length > 1);
  const options: [string, string][] = [["all", "all threads"]];
  for (const members of groups.slice(0, MOST_CHOICES)) {
    const leader = members.find((each) =>
      threads.pid[each] === threads.tgid[each]
    ) ?? members[0];
    options.push([
      `p${leader}`,
      `process of ${threadText(trace, leader)} (${members.length} threads)`,
    ]);
  }
  for (const thread of byEvents.slice(0, MOST_CHOICES)) {
    options.push([
      `t${thread}`,
      `${threadText(trace, thread)} (${count(threads.events[thread])} events)`,
    ]);
  }
  return (
    <Choice
      label="Thread or process"
      value={value}
      options={options}
      set={set}
    />
  );
}
