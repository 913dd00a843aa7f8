/**
 * Renders what precedes an event: task, CPU, flags and time
 * (kernel/trace/trace_output.c, trace_print_context).
 *
 * @module
 */

import type { NumberedTexts, TextRoom } from "./bytes/numbered_texts.ts";
import type { TextBuffer } from "./bytes/text_buffer.ts";
import type { TraceMeta } from "./environment.ts";
import { padBytes } from "./printf/printf_number.ts";

/**
 * Names of tasks in the form of the trace. They are cached for a batch of
 * lines, since the kernel looks up a comm when it prints.
 */
export class TaskText {
  readonly #meta: TraceMeta;
  readonly #withTgid: boolean;
  readonly #context: NumberedTexts;
  readonly #graph = new Map<number, string>();

  constructor(meta: TraceMeta, withTgid: boolean, room: TextRoom) {
    this.#meta = meta;
    this.#context = room.table();
    this.#withTgid = withTgid;
  }

  /** Discards the comms, so that they are read again. */
  refresh(): void {
    this.#context.clear();
    this.#graph.clear();
  }

  /** `trace_find_cmdline`. */
  comm(pid: number): string {
    if (pid === 0) return "<idle>";
    if (pid < 0) return "<XXX>";
    return this.#meta.comm(pid) ?? "<...>";
  }

  /** `%16s-%-7d `, with the thread group if it is recorded. */
  writeContext(out: TextBuffer, pid: number): void {
    const texts = this.#context;
    const place = texts.find(pid, 0);
    if (place >= 0) out.kept(texts, place);
    else texts.write(out, pid, 0, this.#text(pid));
  }

  #text(pid: number): string {
    let text = padBytes(this.comm(pid), 16) + "-" + String(pid).padEnd(7) + " ";
    if (this.#withTgid) {
      const tgid = this.#meta.tgid(pid);
      text += tgid === 0 ? "(-------) " : `(${String(tgid).padStart(7)}) `;
    }
    return text;
  }

  /** `print_graph_proc`: comm and pid, centred in 14 columns. */
  graph(pid: number): string {
    const known = this.#graph.get(pid);
    if (known !== undefined) return known;
    const bytes = new TextEncoder().encode(this.comm(pid));
    const comm = new TextDecoder().decode(bytes.slice(0, 7));
    const id = String(pid);
    const length = Math.min(bytes.length, 7) + id.length + 1;
    const spaces = Math.max(0, 14 - length);
    const before = Math.floor(spaces / 2);
    const text = " ".repeat(before) + comm + "-" + id +
      " ".repeat(spaces - before);
    this.#graph.set(pid, text);
    return text;
  }
}
