/**
 * What tracefs files say, in a form that can be compared: the same state of
 * the guest reads the same, whatever order or remarks the kernel adds.
 *
 * Source: kernel/trace/trace.c, ftrace.c, trace_events.c.
 *
 * @module
 */

/** Files that list functions, in the order of a hash. */
const HASHED = /^set_(ftrace|graph)_/;

/** What a file says, without what changes by itself. */
export function fileState(path: string, content: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const lines = content.split("\n").map((line) => line.trim())
    .filter((line) => line !== "");
  if (name === "trigger") {
    // A trigger's count falls as it fires; a histogram is active or paused.
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
  // "local [mono] boot": all clocks, the one in use in brackets.
  if (name === "trace_clock") return /\[(\S+)\]/.exec(text)?.[1] ?? text;
  // "7 (expanded: 1408)": what it will be once it is used.
  if (name === "buffer_size_kb") {
    return /expanded: (\d+)/.exec(text)?.[1] ?? text;
  }
  // "1*": a trigger switches it too.
  if (name === "enable") return text.replace(/\*$/, "");
  return text;
}

/** Lines of one state that another has not. */
export function addedLines(after: string, before: string): string {
  const old = new Set(before.split("\n"));
  return after.split("\n").filter((line) => !old.has(line)).join("\n");
}

/**
 * Why the kernel refused a text, out of an instance's `error_log`: the reason,
 * and the text from the place that it points at.
 *
 * @returns `undefined` when the log's last word is about something else.
 */
export function refusalReason(log: string, text: string): string | undefined {
  const last = log.split(/^(?=\[ *\d+\.\d+\] )/m).at(-1) ?? "";
  const [said, command, caret] = last.split("\n");
  const reason = /.*error: (.*)/.exec(said ?? "")?.[1];
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
