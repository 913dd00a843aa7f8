/**
 * The formats `dat` and `dat6`: files of trace-cmd, for `trace-cmd report`,
 * KernelShark and others. Version 7 is packed with zstd; version 6 is what old
 * programs read.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import { VERSION } from "../../base/version.ts";
import { wordAt } from "../../ftrace/ring/field_values.ts";
import {
  composeDat,
  cpuKey,
  type FormatText,
} from "../../tracedat/dat_compose.ts";
import {
  DatPagesWriter,
  type PageShape,
} from "../../tracedat/dat_pages_writer.ts";
import { DatSpool } from "../../tracedat/dat_spool.ts";
import { formatFileText } from "../../tracedat/format_file.ts";
import { textBytes } from "../text/byte_text.ts";
import type {
  EventRun,
  Loss,
  OutputSink,
  TraceFormat,
  TraceSource,
  TraceWriter,
} from "../writer.ts";

/** Threads and texts that are noted; a guest may invent any number of them. */
const MOST_NOTED = 1 << 18;
/** Pages, if the guest's are not known. */
const USUAL_PAGE = 1 << 12;

/** A file of version 7, packed. */
export const TRACE_DAT: TraceFormat = {
  name: "dat",
  about: "a file for trace-cmd and KernelShark",
  binary: true,
  single: true,
  writer: (sink) => new TraceDatWriter(sink, 7),
};

/** A file of version 6, not packed. */
export const TRACE_DAT_6: TraceFormat = {
  name: "dat6",
  about: "the same for versions before 3.0",
  binary: true,
  single: true,
  writer: (sink) => new TraceDatWriter(sink, 6),
};

/** Where an entry has the address of a text. */
interface TextPlace {
  readonly offset: number;
  readonly size: number;
}

class TraceDatWriter implements TraceWriter {
  readonly #sink: OutputSink;
  readonly #version: 6 | 7;
  #sources: readonly TraceSource[] = [];
  #shape: PageShape | undefined;
  #spool: DatSpool | undefined;
  readonly #pages = new Map<string, DatPagesWriter>();
  #cpus = 0;
  readonly #comms = new Map<number, string | undefined>();
  readonly #texts = new Map<bigint, string>();
  readonly #places = new Map<number, readonly TextPlace[]>();
  readonly #types = new Set<number>();
  /** Events of threads whose name is not in the file, and without their text. */
  #unnamed = 0;
  #untold = 0;

  constructor(sink: OutputSink, version: 6 | 7) {
    this.#sink = sink;
    this.#version = version;
  }

  begin(sources: readonly [TraceSource, ...TraceSource[]]): void {
    const [first, ...others] = sources;
    if (others.some(({ meta }) => meta !== first.meta)) {
      throw new XftraceError(
        `the format dat holds the trace of one guest, not of ${sources.length}`,
      );
    }
    // The top level comes first, whether it has events or not.
    this.#sources = [...sources].sort((a, b) =>
      Number((b.file?.instance ?? "") === "") -
      Number((a.file?.instance ?? "") === "")
    );
    this.#cpus = Math.max(1, first.meta.nrCpuIds);
  }

  events({ source, columns, arena, from, to }: EventRun): void {
    const shape = this.#shape ??= this.#shapeFor(arena.slotSize);
    const cpu = columns.cpu[from];
    const pages = this.#pagesOf(source, cpu, shape);
    const turn = source.file?.turn;
    for (let row = from; row < to; row++) {
      this.#note(source, { columns, arena }, row);
      const at = columns.offset[row];
      const size = columns.size[row];
      turn?.(arena.view, at, size, columns.type[row]);
      pages.add(columns.epoch, columns.ts[row], arena.bytes, at, size);
    }
  }

  lost({ source, cpu, count }: Loss): void {
    // Without a page there is no event yet, and the page size is not known.
    const shape = this.#shape ??= this.#shapeFor(0);
    this.#pagesOf(source, cpu, shape).lost(count);
  }

  refresh(): void {
    const [{ meta }] = this.#sources;
    for (const [pid, comm] of this.#comms) {
      if (comm === undefined) this.#comms.set(pid, meta.comm(pid));
    }
  }

  end(): void {
    const [first] = this.#sources;
    const { meta, file } = first;
    const shape = this.#shape ??= this.#shapeFor(0);
    for (const pages of this.#pages.values()) pages.end();
    using spool = this.#spool ?? new DatSpool(shape.pageSize, false);
    spool.end();
    this.refresh();
    const named = this.#sources.map(({ file }) => file?.instance ?? "");
    composeDat(
      {
        version: this.#version,
        ...shape,
        formats: file?.formats() ?? this.#seenFormats(),
        kallsyms: textBytes(file?.kallsyms() ?? ""),
        printk: textBytes(this.#printk()),
        cmdlines: textBytes(this.#cmdlines()),
        clock: file?.clock ?? "[local]",
        cpuCount: this.#cpus,
        uname: file?.uname ?? meta.release,
        writer: `xftrace ${VERSION}`,
        buffers: named[0] === "" ? named : ["", ...named],
      },
      spool,
      (bytes) => this.#sink(bytes),
    );
  }

  leftOut(): readonly string[] {
    const said: string[] = [];
    const say = (number: number, text: string) => {
      if (number > 0) said.push(`${text}: ${number.toLocaleString("en-US")}`);
    };
    const most = MOST_NOTED.toLocaleString("en-US");
    say(
      this.#unnamed,
      `events of threads whose names are not in the file, which has those of ${most}`,
    );
    say(
      this.#untold,
      `events that point to texts which are not in the file, which has ${most}`,
    );
    return said;
  }

  #shapeFor(slotSize: number): PageShape {
    const file = this.#sources[0]?.file;
    let pageSize = this.#sources[0]?.meta.pageSize ?? USUAL_PAGE;
    while (pageSize < slotSize) pageSize *= 2;
    return {
      pageSize,
      longSize: file?.longSize ?? 8,
      little: file?.little ?? true,
    };
  }

  #pagesOf(
    source: TraceSource,
    cpu: number,
    shape: PageShape,
  ): DatPagesWriter {
    const name = source.file?.instance ?? "";
    // The top level is there even if nothing of it is written.
    const index = this.#sources.indexOf(source) +
      ((this.#sources[0].file?.instance ?? "") === "" ? 0 : 1);
    const key = cpuKey(name === "" ? 0 : index, cpu);
    let pages = this.#pages.get(key);
    if (pages === undefined) {
      const spool = this.#spool ??= new DatSpool(
        shape.pageSize,
        this.#version === 7,
      );
      pages = new DatPagesWriter(shape, (page) => spool.add(key, page));
      this.#pages.set(key, pages);
      this.#cpus = Math.max(this.#cpus, cpu + 1);
    }
    return pages;
  }

  /** Notes the names that the file must have for an event. */
  #note(
    { meta }: TraceSource,
    rows: Pick<EventRun, "columns" | "arena">,
    row: number,
  ): void {
    const { columns } = rows;
    const pid = columns.pid[row];
    if (pid > 0 && !this.#comms.has(pid)) {
      if (this.#comms.size < MOST_NOTED) this.#comms.set(pid, meta.comm(pid));
      else this.#unnamed++;
    }
    const type = columns.type[row];
    let places = this.#places.get(type);
    if (places === undefined) {
      places = textPlaces(meta, type);
      this.#places.set(type, places);
      this.#types.add(type);
    }
    for (const { offset, size } of places) {
      if (offset + size > columns.size[row]) continue;
      const lo = wordAt(rows, row, offset);
      const hi = size === 8 ? wordAt(rows, row, offset + 4) : 0;
      const address = BigInt(hi) << 32n | BigInt(lo);
      if (this.#texts.has(address)) continue;
      if (this.#texts.size >= MOST_NOTED) {
        this.#untold++;
        continue;
      }
      const text = meta.string(lo, hi);
      if (text !== undefined) this.#texts.set(address, text);
    }
  }

  #seenFormats(): FormatText[] {
    const { meta } = this.#sources[0];
    return [...this.#types].flatMap((type) => {
      const format = meta.format(type);
      return format === undefined
        ? []
        : [{ system: format.system, text: formatFileText(format) }];
    });
  }

  #cmdlines(): string {
    let text = "";
    for (const [pid, comm] of this.#comms) {
      // A line each: the kernel does not let line ends into it either.
      if (comm !== undefined && comm !== "") {
        text += `${pid} ${comm.replaceAll("\n", "?")}\n`;
      }
    }
    return text;
  }

  /** trace_printk.c, t_show: escapes the ends of lines, quotes and backslashes. */
  #printk(): string {
    let text = "";
    for (const [address, format] of this.#texts) {
      const escaped = format.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
        .replaceAll("\t", "\\t").replaceAll('"', '\\"');
      text += `0x${address.toString(16)} : "${escaped}"\n`;
    }
    return text;
  }
}

/** The members of an event that lead to texts in the guest's memory. */
function textPlaces(
  { format: formatOf, layout }: TraceSource["meta"],
  type: number,
): readonly TextPlace[] {
  const format = formatOf(type);
  if (format === undefined || format.syscall !== undefined) return [];
  const { types } = layout;
  if (type === types.bprint || type === types.bputs) {
    const name = type === types.bprint ? "fmt" : "str";
    return format.fields.filter((field) => field.name === name);
  }
  return format.fields.filter(({ type: declared, size }) =>
    /^(?:const )?char \*$/.test(declared) && (size === 4 || size === 8)
  );
}
