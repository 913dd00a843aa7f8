/**
 * The meaning of tracefs files' contents: which files may be written for a
 * trace, and which text restores a file's previous content.
 *
 * Source: the files' `open`, `write` and `show` functions in kernel/trace/.
 *
 * @module
 */
import { XftraceError } from "../base/errors.ts";

/** Files that must not be set, with the reason. */
const REFUSED: readonly (readonly [file: RegExp, why: string])[] = [
  [/^tracing_on$/, "recording is switched by `xftrace on` and `xftrace off`"],
  [/^current_tracer$/, "use --tracer"],
  [/(^|\/)trigger$/, "use --trigger, which can take it back"],
  [/^instances(\/|$)/, "use --instance"],
  [
    /^events\/[^/]+\/filter$/,
    "it stands for many; use --event-filter 'SYSTEM:*=EXPRESSION'",
  ],
  [/^trace_options$/, "it stands for many; use options/NAME=1"],
  [
    /^(kprobe|uprobe|dynamic|synthetic)_events$/,
    "define probes inside the guest; --event records them then",
  ],
  [
    /(^|\/)(trace|trace_pipe|trace_pipe_raw|snapshot|snapshot_raw|free_buffer)$/,
    "it throws events away, which cannot be undone",
  ],
  [
    /^error_log$/,
    "it throws the log away, which cannot be undone",
  ],
  [
    /(^|\/)trace_marker(_raw)?$/,
    "it writes to the trace, which cannot be undone",
  ],
];

/**
 * Refuses paths that must not be set.
 *
 * @param path relative to the instance's folder: `options/sym-addr`
 * @throws {XftraceError} which names the path and says what to do.
 */
export function requireSettable(path: string): void {
  const parts = path.split("/");
  if (path === "" || parts.some((part) => part === "" || /^\.+$/.test(part))) {
    throw new XftraceError(
      `--set takes a file below tracefs, such as options/sym-addr=1; "${path}" is none`,
      { exitCode: 64 },
    );
  }
  for (const [file, why] of REFUSED) {
    if (!file.test(path)) continue;
    throw new XftraceError(`${path} is not for --set: ${why}`, {
      exitCode: 64,
    });
  }
}

/**
 * The text that restores a file's content when written over what it holds.
 *
 * @returns `undefined` when no text does.
 */
export function undoText(path: string, content: string): string | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const text = content.trim();
  // One of several values: "local [mono] boot".
  const chosen = /(?:^| )\[([^\]\s]+)\](?: |$)/.exec(text)?.[1];
  if (chosen !== undefined && !text.includes("\n")) return chosen;
  // "7 (expanded: 1408)": the buffer gets this size on first use.
  const size = /^(\d+) \(expanded: \d+\)$/.exec(text)?.[1];
  if (size !== undefined) return size;
  if (name === "enable") {
    // "1*": a trigger is attached. "X": some events of a system are on, some
    // off.
    const state = /^([01])\*?$/.exec(text)?.[1];
    return state;
  }
  if (name === "filter") return text === "none" ? "0" : text;
  // Comments such as "#### all functions enabled ####", and "no pid".
  const lines = text.split("\n").filter((line) =>
    line !== "" && !line.startsWith("#") && line !== "no pid"
  );
  // "vm_get_features [virtio_mmio]": a function of a module.
  const module = /^set_ftrace_/.test(name) ? "$1:mod:$2" : "$1";
  return lines.map((line) => line.replace(/^(\S+) \[(\w+)\]$/, module))
    .join("\n");
}

/** A file's content, described on one line. */
export function contentText(path: string, content: string): string {
  const text = undoText(path, content) ?? content.trim();
  if (text === "" || (text === "0" && content.trim() === "none")) {
    return "none";
  }
  const line = text.split(/\s*\n\s*/).join(", ");
  return line.length > 200 ? `${line.slice(0, 197)}...` : line;
}
