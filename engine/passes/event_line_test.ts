import assert from "node:assert/strict";
import { EventColumns, PageArena } from "../ftrace/ring/columns.ts";
import type { EventFormat } from "../ftrace/events/formats.ts";
import type { TextEnvironment } from "../output/text/environment.ts";
import type { Selection, SyscallTarget } from "../query/program.ts";
import { EventLines } from "./event_line.ts";
import { CallColumns, type Frame } from "./fields/frame.ts";
import { streamAccess, type StreamContext } from "./fields/stream_access.ts";

const ENV: TextEnvironment = {
  symbols: { bare: () => "", ps: () => "", pS: () => "", pB: () => "" },
  string: () => undefined,
};

const field = (name: string, type: string, offset: number, size: number) => ({
  name,
  type,
  offset,
  size,
  signed: type === "long",
});

const FORMATS = new Map<number, EventFormat>([
  [7, {
    id: 7,
    system: "s",
    name: "wakeup",
    fields: [field("n", "u32", 16, 4)],
    printFmt: '"n=%u", REC->n',
  }],
  [8, {
    id: 8,
    system: "syscalls",
    name: "sys_enter_close",
    fields: [field("__syscall_nr", "int", 8, 4), field("fd", "u64", 16, 8)],
    printFmt: "",
    syscall: { name: "sys_close", exit: false, args: ["fd"], types: ["int"] },
  }],
  [9, {
    id: 9,
    system: "syscalls",
    name: "sys_exit_close",
    fields: [field("__syscall_nr", "int", 8, 4), field("ret", "long", 16, 8)],
    printFmt: "",
    syscall: { name: "sys_close", exit: true, args: ["fd"], types: ["int"] },
  }],
]);

/** A line without its task, CPU and time. */
function line(select: Selection, frame: Frame, graphRetval = -1): string {
  const context: StreamContext = {
    select,
    names: {
      func: (lo) => `f${lo}`,
      short: (name) => name,
      foreign: () => false,
      comm: () => "sshd",
    },
    format: (id) => FORMATS.get(id),
    graphRetval,
  };
  const lines = new EventLines(context, streamAccess(context), ENV);
  const text = lines.line(frame, 0);
  assert.ok(text.endsWith("\n"));
  assert.match(text, /^ +sshd-42 {5} \[003\] .* +5\.000000: /);
  return text.slice(text.indexOf("5.000000: ") + 10, -1);
}

/** One row at 5 s. */
function columnsOf(type = 0): EventColumns {
  const columns = new EventColumns(5_000_000_000n);
  columns.length = 1;
  columns.pid[0] = 42;
  columns.cpu[0] = 3;
  columns.type[0] = type;
  return columns;
}

function eventFrame(type: number, value: bigint, size = 24): Frame {
  const arena = new PageArena(64);
  arena.acquire();
  arena.view.setBigUint64(16, BigInt.asUintN(64, value), true);
  const columns = columnsOf(type);
  columns.size[0] = size;
  return { columns, arena, ordered: true };
}

const EVENTS: Selection = { via: "events", ids: [7, 8, 9] };

Deno.test("an event's text is its own, and a system call's shows its values", () => {
  const text = (type: number, value: bigint) =>
    line(EVENTS, eventFrame(type, value));
  assert.equal(text(7, 5n), "wakeup: n=5");
  assert.equal(text(8, 0x10n), "sys_close(fd: 0x10)");
  assert.equal(text(9, -9n), "sys_close -> -9");
  assert.equal(text(9, 0x7f00_00001000n), "sys_close -> 0x7f0000001000");
  assert.equal(text(99, 0n), "event 99");
});

Deno.test("an event that is cut off shows what it lacks as unknown", () => {
  assert.equal(line(EVENTS, eventFrame(9, 0n, 16)), "sys_close -> ?");
  assert.equal(line(EVENTS, eventFrame(8, 0n, 16)), "sys_close(fd: ?)");
});

const OPENAT: SyscallTarget = {
  name: "sys_openat",
  addresses: [],
  enter: 1,
  exit: 2,
  args: ["dfd", "filename", "flags", "mode", "buf"],
  types: ["int", "const char *", "int", "umode_t", "void *"],
};

function callFrame(
  more: { call?: number; ret?: number; depth?: number; caller?: number },
  texts?: readonly (string | undefined)[],
): Frame {
  const columns = columnsOf();
  columns.func.set([16, 0xffffffff]);
  columns.duration[0] = 1500;
  columns.depth[0] = more.depth ?? 0;
  const calls = new CallColumns(1);
  calls.call[0] = more.call ?? -1;
  calls.ret[0] = more.ret ?? NaN;
  calls.comm[0] = -1;
  calls.caller.set([more.caller ?? 0, 0]);
  calls.args.set([0xffffff9c, 0xffffffff, 0x1000, 0x7f, 0x80000042, 0]);
  calls.args.set([0o644, 0, 0x2000, 0], 6);
  calls.texts[0] = texts;
  return { columns, arena: new PageArena(64), calls, ordered: true };
}

Deno.test("a system call with arguments in the form that suits each, and its result", () => {
  const select: Selection = { via: "syscall events", calls: [OPENAT] };
  const text = (ret: number, name?: string) =>
    line(select, callFrame({ call: 0, ret }, [undefined, name]));
  const rest = "flags: 0x80000042, mode: 0644, buf: 0x2000)";
  assert.equal(
    text(3, '/etc/"x"\n'),
    `sys_openat(dfd: -100, filename: "/etc/\\"x\\"\\n", ${rest} -> 3  1.50 us`,
  );
  // A text that could not be read is shown as its address.
  assert.equal(
    text(-2),
    `sys_openat(dfd: -100, filename: 0x7f00001000, ${rest} -> -2  1.50 us`,
  );
  assert.match(text(NaN), /-> \? {2}1\.50 us$/);
});

const GRAPH: Selection = {
  via: "graph calls",
  functions: undefined,
  under: [],
  depth: undefined,
};

Deno.test("a function's call, its caller, and its level if several were asked for", () => {
  const call = callFrame({ depth: 2, caller: 8 });
  assert.equal(line(GRAPH, call), "f16  1.50 us  <- f8");
  assert.equal(
    line({ ...GRAPH, depth: 3 }, call),
    "    f16  1.50 us  <- f8",
  );
  assert.equal(line(GRAPH, callFrame({})), "f16  1.50 us");
});

Deno.test("a call is indented 512 levels at most, whatever depth the guest says", () => {
  for (const depth of [512, 65535, 2 ** 31 - 1]) {
    const text = line({ ...GRAPH, depth: 3 }, callFrame({ depth }));
    assert.ok(text.startsWith("  ".repeat(512) + "f"), `${depth}`);
  }
  const below = line({ ...GRAPH, depth: 3 }, callFrame({ depth: -1 }));
  assert.ok(below.startsWith("f"));
});

Deno.test("a call that the module recorded without arguments is shown like any function's", () => {
  const select: Selection = {
    via: "module calls",
    functions: undefined,
    under: [],
    depth: undefined,
    calls: [OPENAT],
  };
  assert.equal(line(select, callFrame({})), "f16  1.50 us");
  assert.match(
    line(select, callFrame({ call: 0 }, [undefined, "/tmp"])),
    /^sys_openat\(dfd: -100, filename: "\/tmp", .*\) {2}1\.50 us$/,
  );
});
