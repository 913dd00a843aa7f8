/**
 * Converts the contents of tracefs files to a comparable form: equal states of
 * the guest give equal texts, whatever order or comments the kernel adds.
 *
 * Source: kernel/trace/trace.c, ftrace.c, trace_events.c.
 *
 * @module
 */

/** Files that list functions in hash order. */
const HASHED = /^set_(ftrace|graph)_/;

/** A file's content without what changes by itself. */
export function fileState(path: string, content: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const lines = content.split("\n").map((line) => line.trim())
    .filter((line) => line !== "");
  if (name === "trigger") {
    // A trigger's count decreases as it fires; a histogram is active or paused.
    return lines.filter((line) => !line.startsWith("#"))
      .map((line) =>
        line.replace(/:count=-?\d+/, ":count=...")
          .replace(/ \[(active|paused|disabled)\]$/, "")
      ).sort().join("\n");
  }
  if (HASHED.test(name)) {
    return lines.filter((line) => !line.startsWith("#")).sort().join("\n");
  }
  const text = lines.join("\n");
  // "local [mono] boot": all clocks, with the one in use in brackets.
  if (name === "trace_clock") return /\[(\S+)\]/.exec(text)?.[1] ?? text;
  // "7 (expanded: 1408)": the buffer gets this size on first use.
  if (name === "buffer_size_kb") {
    return /expanded: (\d+)/.exec(text)?.[1] ?? text;
  }
  // "1*": a trigger is attached as well.
  if (name === "enable") return text.replace(/\*$/, "");
  return text;
}

/** Lines that one state has and the other lacks. */
export function addedLines(after: string, before: string): string {
  const old = new Set(before.split("\n"));
  return after.split("\n").filter((line) => !old.has(line)).join("\n");
}

/**
 * The kernel's reason for refusing a text, from an instance's `error_log`: the
 * reason, and the text from the marked position on.
 *
 * @returns `undefined` when the last entry of the log is about something else.
 */
export function refusalReason(log: string, text: string): string | undefined {
  const last = log.split(/^(?=\[ *\d+\.\d+\] )/m).at(-1) ?? "";
  const [said, command, caret] = last.split("\n");
  const [, ...reasons] = (said ?? "").split("error: ");
  const reason = reasons.at(-1);
  const prefix = "  Command: ";
  if (reason === undefined || command?.startsWith(prefix) !== true) {
    return undefined;
  }
  const of = command.slice(prefix.length);
  if (of.trim() === "" || !text.includes(of.trim())) return undefined;
  const at = (caret ?? "").indexOf("^") - prefix.length;
  const rest = at > 0 && at < of.length ? `, at "${of.slice(at)}"` : "";
  return `${reason.trim()}${rest}`;
}
