/**
 * Writes trace_graph.txt from verified entries, in the form of figure 4 of the
 * paper (docs/paper.md). A function that the system-call dispatcher calls and
 * that is not the kernel's own is printed as its address in hex. Each root is
 * printed with its caller.
 *
 * @module
 */
import { shown } from "../../base/shown.ts";
import {
  ENTRY_FLAG,
  ENTRY_KIND,
  PATH_BYTES,
  PATH_PIECES,
  WORD,
} from "../../seal/page/abi.ts";
import { archNamed } from "../../arch/all.ts";
import { type FtraceSites, withoutOffset } from "../../arch/ftrace_sites.ts";
import { syscallParameters } from "../../arch/syscall_parameters.ts";
import { CpuRow, isTimed } from "./cpu_row.ts";
import { PathText } from "../../seal/page/path_text.ts";
import type {
  Names,
  RecordingHeader,
} from "../../seal/recording/recording_format.ts";
import type { VisitEntry } from "../../seal/recording/verifier.ts";

/**
 * More levels than calls have (FTRACE_RETFUNC_DEPTH): a guest's 16 bits would
 * indent a line by 128 KiB.
 */
const DEEPEST = 64;

/** An address outside the kernel's text, and how often it was seen. */
export interface ForeignAddress {
  readonly address: string;
  /** Its name, if it is within a module's symbol. */
  readonly name: string | undefined;
  /** A function called by the dispatcher, or the caller of a root. */
  readonly as: "function" | "caller";
  readonly times: number;
}

const hex = (value: bigint) => `0x${value.toString(16)}`;

/** Collects verified entries and writes the report. */
export class GraphReport {
  readonly #rows = new Map<number, CpuRow>();
  readonly #header: RecordingHeader;
  readonly #names: Names;
  readonly #text: readonly [bigint, bigint];
  readonly #dispatcher: readonly (readonly [bigint, bigint])[];
  readonly #parameters: ReturnType<typeof syscallParameters>;
  readonly #sites: FtraceSites;
  readonly #comms = new Map<number, string>();
  readonly #foreign = new Map<
    string,
    { as: "function" | "caller"; n: number }
  >();

  constructor(header: RecordingHeader, names: Names) {
    this.#header = header;
    this.#names = names;
    const arch = archNamed(header.arch);
    this.#parameters = syscallParameters(arch.syscalls);
    this.#sites = arch.ftraceSites;
    const [start, end] = header.kernelText;
    this.#text = [BigInt(start), BigInt(end)];
    this.#dispatcher = header.dispatcher.map(([from, to]) =>
      [BigInt(from), BigInt(to)] as const
    );
  }

  /** To be passed to the verifier. */
  readonly visit: VisitEntry = (cpu, sequence, words, at) => {
    let row = this.#rows.get(cpu);
    if (row === undefined) {
      row = new CpuRow();
      this.#rows.set(cpu, row);
    }
    row.add(sequence, words, at);
  };

  /** The foreign addresses found by the last call of {@linkcode lines}. */
  get foreign(): ForeignAddress[] {
    return [...this.#foreign].map(([key, { as, n }]) => {
      const address = key.slice(key.indexOf(" ") + 1);
      return { address, name: this.#names[address], as, times: n };
    });
  }

  #isKernel(address: bigint): boolean {
    return address >= this.#text[0] && address < this.#text[1];
  }

  #isDispatcher(address: bigint): boolean {
    return this.#dispatcher.some(([from, to]) =>
      address >= from && address < to
    );
  }

  #name(address: bigint): string {
    const text = hex(address);
    const name = this.#names[text];
    return name === undefined ? text : withoutOffset(this.#sites, name);
  }

  #note(as: "function" | "caller", address: bigint): void {
    const key = `${as} ${hex(address)}`;
    const seen = this.#foreign.get(key);
    if (seen === undefined) this.#foreign.set(key, { as, n: 1 });
    else seen.n++;
  }

  /** The lines of the report, merged over all CPUs by time. */
  *lines(): Generator<string> {
    this.#foreign.clear();
    const seal = ["none", "xor", "siphash", "siphash+ratchet"];
    yield `# tracer: xftrace, seal: ${seal[this.#header.seal]}`;
    yield shown(
      `# kernel: ${this.#header.kernel}, target: ${this.#header.target}`,
    );
    yield "#";
    yield "#     TIME        CPU  TASK/PID                DURATION                  FUNCTION CALLS";
    yield "#      |          |     |    |                 |   |                     |   |   |   |";
    const rows = [...this.#rows].sort(([a], [b]) => a - b);
    const at = rows.map(() => 0);
    for (;;) {
      let best = -1;
      let bestTime = Infinity;
      rows.forEach(([, row], i) => {
        // Entries with arguments and paths have no time; they follow their
        // call.
        while (at[i] < row.count && !isTimed(row.kind(at[i]))) at[i]++;
        if (at[i] < row.count && row.time(at[i]) < bestTime) {
          bestTime = row.time(at[i]);
          best = i;
        }
      });
      if (best < 0) return;
      const [cpu, row] = rows[best];
      const line = this.#line(cpu, row, at[best]);
      at[best] += line.used;
      if (line.text !== undefined) yield shown(line.text);
    }
  }

  #line(
    cpu: number,
    row: CpuRow,
    index: number,
  ): { text: string | undefined; used: number } {
    const pid = row.word(index, WORD.pid);
    switch (row.kind(index)) {
      case ENTRY_KIND.comm: {
        const bytes = row.bytes(index, WORD.func, 16);
        const end = bytes.indexOf(0);
        this.#comms.set(
          pid,
          new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)),
        );
        return { text: undefined, used: 1 };
      }
      case ENTRY_KIND.entry: {
        const details = this.#details(row, index);
        const next = index + details.used;
        const leaf = row.kindNext(next) === ENTRY_KIND.return &&
          row.word(next, WORD.pid) === pid &&
          row.word(next, WORD.func) === row.word(index, WORD.func) &&
          row.depth(next) === row.depth(index);
        const call = `${details.function}(${details.arguments})`;
        const text = this.#column(
          cpu,
          row,
          index,
          leaf ? spent(row.time(next) - row.time(index)) : "",
          leaf ? `${call};${details.from}` : `${call} {${details.from}`,
        );
        return { text, used: details.used + (leaf ? 1 : 0) };
      }
      case ENTRY_KIND.return: {
        const name = this.#name(row.u64(index, WORD.func));
        const time = row.u64(index, WORD.argument);
        return {
          text: this.#column(
            cpu,
            row,
            index,
            time > 0n ? spent(Number(time)) : "",
            `} /* ${name} */`,
          ),
          used: 1,
        };
      }
      default:
        return { text: undefined, used: 1 };
    }
  }

  #column(
    cpu: number,
    row: CpuRow,
    index: number,
    duration: string,
    text: string,
  ): string {
    const time = row.time(index);
    const seconds = Math.floor(time / 1e9);
    const micros = String(Math.floor((time % 1e9) / 1000)).padStart(6, "0");
    const pid = row.word(index, WORD.pid);
    const task = `${this.#comms.get(pid) ?? "<...>"}-${pid}`;
    return `${String(seconds).padStart(6)}.${micros} | ${
      String(cpu).padStart(3)
    })  ${task.padEnd(22)} | ${duration.padStart(14)} | ${
      "  ".repeat(Math.min(row.depth(index), DEEPEST))
    }${text}`;
  }

  /** The text of a call: the function, its arguments, and a root's caller. */
  #details(
    row: CpuRow,
    index: number,
  ): { function: string; arguments: string; from: string; used: number } {
    const func = row.u64(index, WORD.func);
    const caller = row.u64(index, WORD.caller);
    const flags = row.word(index, WORD.shape) >>> 24;
    const dispatched = this.#isDispatcher(caller);
    let name = this.#name(func);
    let from = "";
    if (dispatched && !this.#isKernel(func)) {
      this.#note("function", func);
      // Shown by its address: its name could be misleading, as the function is
      // not in the kernel's text.
      const known = this.#names[hex(func)];
      name = hex(func);
      from = ` /* not the kernel's${
        known === undefined ? "" : `: ${known}`
      } */`;
    }
    if ((flags & ENTRY_FLAG.root) !== 0 && !this.#isKernel(caller)) {
      this.#note("caller", caller);
      const known = this.#names[hex(caller)];
      from += ` /* from ${hex(caller)}${
        known === undefined ? "" : `: ${known}`
      }, not the kernel's */`;
    } else if ((flags & ENTRY_FLAG.root) !== 0) {
      from += ` /* from ${this.#name(caller)} */`;
    }
    const { text, used } = this.#arguments(row, index);
    return { function: name, arguments: text, from, used: used + 1 };
  }

  #arguments(row: CpuRow, index: number): { text: string; used: number } {
    const number = row.word(index, WORD.extra) - 1;
    const next = index + 1;
    if (number < 0 || row.kindNext(next) !== ENTRY_KIND.arguments) {
      return { text: "", used: 0 };
    }
    const values = [
      row.u64(index, WORD.argument),
      row.u64(next, WORD.time),
      row.u64(next, WORD.func),
      row.u64(next, WORD.caller),
      row.u64(next, WORD.argument),
      row.u64(next, WORD.pid) & 0xffffffffn |
      (BigInt(row.word(next, WORD.extra) >>> 0) << 32n),
    ];
    const shown = values.map(hex);
    let used = 1;
    const paths = new Map<number, PathText>();
    /** What is shown in place of the rest of a path. */
    const rest = new Map<number, string>();
    while (row.kindNext(next + used) === ENTRY_KIND.path) {
      const piece = row.word(next + used, WORD.extra);
      const position = piece >>> 8;
      const path = paths.get(position) ?? new PathText();
      paths.set(position, path);
      if ((piece & 0xff) === 0xff) rest.set(position, "<unreadable>");
      else {
        const bytes = row.bytes(next + used, WORD.time, PATH_BYTES);
        path.add(bytes);
        const last = bytes.includes(0) || (piece & 0xff) === PATH_PIECES - 1;
        rest.set(position, last ? "" : "<lost>");
      }
      used++;
    }
    for (const [position, path] of paths) {
      shown[position] = JSON.stringify(
        path.text + (rest.get(position) ?? ""),
      );
    }
    const parameters = this.#parameters.get(number);
    const text = parameters === undefined
      ? shown.join(", ")
      : parameters.map(({ name }, i) => `${name}: ${shown[i]}`).join(", ");
    return { text, used };
  }
}

/** A duration in microseconds, as function_graph prints it. */
function spent(ns: number): string {
  const mark = ns > 1e9
    ? "$ "
    : ns > 1e8
    ? "@ "
    : ns > 1e7
    ? "* "
    : ns > 1e6
    ? "# "
    : ns > 1e5
    ? "! "
    : ns > 1e4
    ? "+ "
    : "";
  return `${mark}${(ns / 1000).toFixed(3)} us`;
}
