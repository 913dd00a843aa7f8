import assert from "node:assert/strict";
import { ENTRY, ENTRY_FLAG, ENTRY_KIND } from "../../seal/page/abi.ts";
import { GraphReport } from "./graph_report.ts";

interface Fields {
  readonly time?: bigint;
  readonly func?: bigint;
  readonly caller?: bigint;
  readonly argument?: bigint;
  readonly pid?: number;
  readonly depth?: number;
  readonly flags?: number;
  readonly extra?: number;
}

function entry(kind: number, fields: Fields): Int32Array {
  const view = new DataView(new ArrayBuffer(ENTRY.bytes));
  view.setBigUint64(ENTRY.time, fields.time ?? 0n, true);
  view.setBigUint64(ENTRY.func, fields.func ?? 0n, true);
  view.setBigUint64(ENTRY.caller, fields.caller ?? 0n, true);
  view.setBigUint64(ENTRY.argument, fields.argument ?? 0n, true);
  view.setUint32(ENTRY.pid, fields.pid ?? 42, true);
  view.setUint16(ENTRY.depth, fields.depth ?? 0, true);
  view.setUint8(ENTRY.kind, kind);
  view.setUint8(ENTRY.flags, fields.flags ?? 0);
  view.setUint32(ENTRY.extra, fields.extra ?? 0, true);
  return new Int32Array(view.buffer);
}

function text(value: string, at: number): bigint {
  const bytes = new Uint8Array(8);
  new TextEncoder().encodeInto(value.slice(at, at + 8), bytes);
  return new DataView(bytes.buffer).getBigUint64(0, true);
}

const DISPATCHER = 0xffffffff81000100n;
const OPENAT = 0xffffffff81200004n;
const HOOK = 0xffffffffc0001000n;

Deno.test("a hooked system call is printed as in the paper's figure 4", () => {
  const report = new GraphReport(
    {
      seal: 3,
      nonce: "00".repeat(16),
      generation: 1,
      klog: "k",
      target: "qemu:t",
      kernel: "6.12",
      kernelText: ["0xffffffff81000000", "0xffffffff82000000"],
      dispatcher: [["0xffffffff81000100", "0xffffffff81000200"]],
    },
    {
      "0xffffffff81200004": "__x64_sys_openat+0x4",
      "0xffffffff81000150": "do_syscall_64+0x50",
      "0xffffffffc0001018": "hooked+0x18 [bad]",
    },
  );
  const rows = [
    entry(ENTRY_KIND.comm, { func: text("cat", 0), caller: 0n }),
    entry(ENTRY_KIND.entry, {
      time: 1_000_002_000n,
      func: HOOK,
      caller: DISPATCHER + 0x50n,
      flags: ENTRY_FLAG.root,
    }),
    entry(ENTRY_KIND.entry, {
      time: 1_000_003_000n,
      func: OPENAT,
      caller: HOOK + 0x18n,
      argument: 0xffffff9cn,
      depth: 1,
      flags: ENTRY_FLAG.root,
      extra: 258,
    }),
    // Arguments 2 to 5, followed by the path in two pieces.
    entry(ENTRY_KIND.arguments, { time: 0x1000n, func: 0x8000n }),
    entry(ENTRY_KIND.path, {
      time: text("/etc/a/b", 0),
      func: text("/c/d/e/f", 0),
      caller: text("/g/h/i/j", 0),
      argument: text("/k/l/m/n", 0),
      extra: 1 << 8,
    }),
    entry(ENTRY_KIND.path, { time: text("/end", 0), extra: (1 << 8) | 1 }),
    entry(ENTRY_KIND.return, {
      time: 1_000_004_500n,
      func: OPENAT,
      caller: HOOK + 0x18n,
      depth: 1,
    }),
    entry(ENTRY_KIND.return, {
      time: 1_000_020_000n,
      func: HOOK,
      argument: 18_000n,
    }),
  ];
  rows.forEach((words, i) => report.visit(1, i + 1, words, 0));
  const lines = [...report.lines()].filter((line) => !line.startsWith("#"));
  assert.deepEqual(lines.map((line) => line.replace(/ +/g, " ")), [
    " 1.000002 | 1) cat-42 | | 0xffffffffc0001000() { /* not the kernel's */ /* from do_syscall_64+0x50 */",
    ' 1.000003 | 1) cat-42 | 1.500 us | __x64_sys_openat(dfd: 0xffffff9c, filename: "/etc/a/b/c/d/e/f/g/h/i/j/k/l/m/n/end", flags: 0x8000, mode: 0x0); /* from 0xffffffffc0001018: hooked+0x18 [bad], not the kernel\'s */',
    " 1.000020 | 1) cat-42 | + 18.000 us | } /* 0xffffffffc0001000 */",
  ]);
  assert.deepEqual(report.foreign, [
    {
      address: "0xffffffffc0001000",
      name: undefined,
      as: "function",
      times: 1,
    },
    {
      address: "0xffffffffc0001018",
      name: "hooked+0x18 [bad]",
      as: "caller",
      times: 1,
    },
  ]);
});

Deno.test("after lost entries, a call gets neither the arguments nor the path of another", () => {
  const root = (at: number) =>
    entry(ENTRY_KIND.entry, {
      time: 1_000_000_000n + BigInt(at),
      func: OPENAT,
      caller: DISPATCHER + 0x50n,
      argument: 3n,
      flags: ENTRY_FLAG.root,
      extra: 258,
    });
  const args = entry(ENTRY_KIND.arguments, { func: 0x8000n });
  const eight = text("/etc/a/b", 0);
  const piece = entry(ENTRY_KIND.path, {
    time: eight,
    func: eight,
    caller: eight,
    argument: eight,
    extra: 1 << 8,
  });
  const end = entry(ENTRY_KIND.path, {
    time: text("/end", 0),
    extra: (1 << 8) | 2,
  });
  const exit = entry(ENTRY_KIND.return, { time: 2_000_000_000n, func: OPENAT });
  const report = new GraphReport(
    {
      seal: 3,
      nonce: "00".repeat(16),
      generation: 1,
      klog: "k",
      target: "qemu:t",
      kernel: "6.12",
      kernelText: ["0xffffffff81000000", "0xffffffff82000000"],
      dispatcher: [],
    },
    { "0xffffffff81200004": "__x64_sys_openat+0x4" },
  );
  const numbered: [number, Int32Array][] = [
    // Everything between the entry and another call's arguments was lost.
    [1, root(0)],
    [9, args],
    // The second piece of the path.
    [10, root(1000)],
    [11, args],
    [12, piece],
    [14, end],
    // The return is not the one of this call.
    [20, root(2000)],
    [21, args],
    [30, exit],
  ];
  for (const [sequence, words] of numbered) report.visit(0, sequence, words, 0);
  const calls = [...report.lines()]
    .filter((line) => line.includes("openat"))
    .map((line) => line.replace(/.*\| +/, "").replace(/ \/\* from.*/, ""));
  const path = "/etc/a/b".repeat(4);
  assert.deepEqual(calls, [
    "__x64_sys_openat() {",
    `__x64_sys_openat(dfd: 0x3, filename: "${path}<lost>", flags: 0x8000, mode: 0x0) {`,
    "__x64_sys_openat(dfd: 0x3, filename: 0x0, flags: 0x8000, mode: 0x0) {",
    "} /* __x64_sys_openat */",
  ]);
});
