/**
 * Formats an event as one line.
 *
 * @module
 */
import { shown } from "../base/shown.ts";
import { ClockText } from "../output/text/duration.ts";
import type { TextEnvironment } from "../output/text/environment.ts";
import { compileEvent } from "../output/text/probe_event.ts";
import { RecordBytes } from "../output/text/record.ts";
import type { EventField } from "../ftrace/events/formats.ts";
import type { Access, Accessor } from "./fields/access.ts";
import { valueAt } from "./fields/event_object.ts";
import type { Frame } from "./fields/frame.ts";
import type { Selection, SyscallTarget } from "../query/program.ts";
import { durationText } from "./fields/values.ts";
import type { StreamContext } from "./fields/stream_access.ts";

/** Levels that are indented at most: the guest says how deep a call is. */
const DEEPEST = 512;

/** Formats the events of a stream as lines. */
export class EventLines {
  readonly #context: StreamContext;
  readonly #access: Accessor;
  readonly #env: TextEnvironment;
  readonly #record = new RecordBytes();
  readonly #renderers = new Map<
    number,
    (frame: Frame, row: number) => string
  >();
  readonly #arguments: readonly (readonly [string, Access | undefined])[][];
  #clock: ClockText | undefined;
  #epoch: bigint | undefined;

  constructor(context: StreamContext, access: Accessor, env: TextEnvironment) {
    this.#context = context;
    this.#access = access;
    this.#env = env;
    this.#arguments = argumentsOf(context.select, access);
  }

  /** The line of an event, escaped, including its newline. */
  line(frame: Frame, row: number): string {
    const { columns } = frame;
    if (this.#epoch !== columns.epoch || this.#clock === undefined) {
      this.#epoch = columns.epoch;
      this.#clock = new ClockText(columns.epoch);
    }
    const pid = columns.pid[row];
    const named = this.#access("comm");
    const comm = (named?.shape === "text" ? named.at(frame, row) ?? "" : "")
      .padStart(16);
    const cpu = String(columns.cpu[row]).padStart(3, "0");
    const line = `${comm}-${String(pid).padEnd(7)} [${cpu}]` +
      `${this.#clock.context(columns.ts[row])}: ${this.#what(frame, row)}`;
    return `${shown(line)}\n`;
  }

  #what(frame: Frame, row: number): string {
    const { select } = this.#context;
    if (select.via === "events") return this.#event(frame, row);
    const { columns, calls } = frame;
    const name = this.#context.names.func(
      columns.func[2 * row],
      columns.func[2 * row + 1],
    );
    const took = durationText(columns.duration[row]);
    const call = calls?.call[row] ?? -1;
    if (
      (select.via === "syscall events" || select.via === "module calls") &&
      calls !== undefined && call >= 0
    ) {
      const args = this.#arguments[call].map(([label, access]) =>
        `${label}: ${this.#argument(label, access, frame, row)}`
      );
      const ret = select.via === "syscall events"
        ? ` -> ${returned(calls.ret[row])}`
        : "";
      return `${select.calls[call].name}(${args.join(", ")})${ret}  ${took}`;
    }
    const depth = Math.max(0, Math.min(this.#depth(frame, row), DEEPEST));
    let text = "  ".repeat(depth) + name;
    const ret = this.#access("ret");
    if (ret?.shape === "number") {
      text += `() -> ${returned(ret.at(frame, row))}`;
    }
    const caller = frame.calls === undefined
      ? undefined
      : this.#access("caller");
    const from = caller?.shape === "text" ? caller.at(frame, row) : undefined;
    return `${text}  ${took}${from === undefined ? "" : `  <- ${from}`}`;
  }

  /** Nested calls are indented if several levels were requested. */
  #depth(frame: Frame, row: number): number {
    const { select } = this.#context;
    return (select.via === "graph calls" || select.via === "module calls") &&
        select.depth !== undefined
      ? frame.columns.depth[row]
      : 0;
  }

  #argument(
    label: string,
    access: Access | undefined,
    frame: Frame,
    row: number,
  ): string {
    if (access === undefined) return "?";
    const value = valueAt(access, frame, row);
    if (typeof value === "string") return JSON.stringify(value);
    if (typeof value === "bigint") return `0x${value.toString(16)}`;
    if (value === undefined) return this.#pointer(label, frame, row);
    if (/flags$|mask$/.test(label)) return `0x${(value >>> 0).toString(16)}`;
    if (label === "mode") return `0${value.toString(8)}`;
    return String(value);
  }

  /** A string that could not be read is shown as its address. */
  #pointer(label: string, frame: Frame, row: number): string {
    const { select } = this.#context;
    const { calls } = frame;
    if (
      (select.via !== "syscall events" && select.via !== "module calls") ||
      calls === undefined
    ) return "?";
    const i = select.calls[calls.call[row]].args.indexOf(label);
    const at = 12 * row + 2 * i;
    const address = BigInt(calls.args[at + 1]) << 32n | BigInt(calls.args[at]);
    return `0x${address.toString(16)}`;
  }

  #event(frame: Frame, row: number): string {
    const id = frame.columns.type[row];
    let render = this.#renderers.get(id);
    if (render === undefined) {
      render = this.#renderer(id);
      this.#renderers.set(id, render);
    }
    return render(frame, row);
  }

  /** A string that the event holds, quoted; `undefined` if it is empty. */
  #held(
    name: string | undefined,
    frame: Frame,
    row: number,
  ): string | undefined {
    const access = name === undefined ? undefined : this.#access(name);
    const text = access === undefined ? undefined : valueAt(access, frame, row);
    return typeof text === "string" && text !== ""
      ? JSON.stringify(text)
      : undefined;
  }

  #renderer(id: number): (frame: Frame, row: number) => string {
    const format = this.#context.format(id);
    if (format === undefined) return () => `event ${id}`;
    if (format.syscall !== undefined) {
      const { name, exit } = format.syscall;
      const names = new Set(format.fields.map((field) => field.name));
      // Beside an argument, an event may hold the string that it points to.
      const held = ({ name }: EventField) =>
        names.has(`__${name}_val`) ? `__${name}_val` : undefined;
      const strings = new Set(format.fields.map(held));
      const labels = format.fields.filter((field) =>
        field.name !== "__syscall_nr" && field.offset >= 16 &&
        !strings.has(field.name)
      );
      return (frame, row) => {
        const values = labels.map((field) => {
          const text = this.#held(held(field), frame, row);
          if (text !== undefined) return `${field.name}: ${text}`;
          const access = this.#access(field.name) ??
            this.#access(`args.${field.name}`);
          const value = access === undefined
            ? undefined
            : valueAt(access, frame, row);
          return exit
            ? returned(Number(value))
            : `${field.name}: ${
              typeof value === "number" || typeof value === "bigint"
                ? `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`
                : value ?? "?"
            }`;
        });
        return exit
          ? `${name} -> ${values[0]}`
          : `${name}(${values.join(", ")})`;
      };
    }
    const body = compileEvent(format, this.#env);
    return (frame, row) => {
      const { columns, arena } = frame;
      this.#record.move(arena, columns.offset[row], columns.size[row]);
      // The text already ends with a newline.
      return `${format.name}: ${body(this.#record).replace(/\n$/, "")}`;
    };
  }
}

function argumentsOf(
  select: Selection,
  access: Accessor,
): [string, Access | undefined][][] {
  if (select.via !== "syscall events" && select.via !== "module calls") {
    return [];
  }
  return select.calls.map((call: SyscallTarget) =>
    call.args.map((name): [string, Access | undefined] => [
      name,
      access(`args.${name}`),
    ])
  );
}

/** A return value: small ones in decimal, addresses in hexadecimal. */
function returned(value: number): string {
  if (!(value === value)) return "?";
  return Math.abs(value) < 2 ** 31
    ? String(value)
    : `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;
}
