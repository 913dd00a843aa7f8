/**
 * Made-up targets for the compiler's tests: a kernel with some functions and
 * events.
 *
 * @module
 */
import { x86_64 } from "../../engine/arch/x86_64/mod.ts";
import type { EventFormat } from "../../engine/ftrace/events/formats.ts";
import type { EventFact, TargetFacts } from "../../engine/query/facts.ts";
import { globRegExp } from "../../engine/base/glob.ts";
import { nearNames } from "../../engine/base/near_names.ts";

const NAMES = [
  "__x64_sys_open",
  "__x64_sys_openat",
  "__x64_sys_read",
  "__x64_sys_write",
  "__x64_sys_newfstatat",
  "do_exit",
  "kmem_cache_alloc",
  "vfs_read",
  "vfs_readv",
  "vfs_write",
  "schedule",
  "native_halt",
];

const BASE = 0xffffffff81000000n;
const ADDRESSES = new Map(
  NAMES.map((name, i) => [name, BASE + BigInt(i) * 0x100n]),
);

function syscallFormats(
  id: number,
  name: string,
  args: readonly string[],
  types: readonly string[],
): EventFormat[] {
  const field = (arg: string, i: number, type: string) => ({
    name: arg,
    type,
    offset: 16 + 8 * i,
    size: 8,
    signed: false,
  });
  return [
    {
      id,
      system: "syscalls",
      name: `sys_enter_${name}`,
      fields: args.map((arg, i) => field(arg, i, types[i])),
      printFmt: "",
      syscall: { name: `sys_${name}`, exit: false, args, types },
    },
    {
      id: id + 1,
      system: "syscalls",
      name: `sys_exit_${name}`,
      fields: [field("ret", 0, "long")],
      printFmt: "",
      syscall: { name: `sys_${name}`, exit: true, args, types },
    },
  ];
}

const FORMATS: readonly EventFormat[] = [
  ...syscallFormats(700, "openat", ["dfd", "filename", "flags", "mode"], [
    "int",
    "const char *",
    "int",
    "umode_t",
  ]),
  ...syscallFormats(702, "read", ["fd", "buf", "count"], [
    "unsigned int",
    "char *",
    "size_t",
  ]),
  {
    id: 300,
    system: "sched",
    name: "sched_switch",
    fields: [
      {
        name: "prev_comm",
        type: "char[16]",
        offset: 8,
        size: 16,
        signed: false,
      },
      { name: "prev_pid", type: "pid_t", offset: 24, size: 4, signed: true },
    ],
    printFmt: "",
  },
  {
    id: 301,
    system: "sched",
    name: "sched_process_exit",
    fields: [],
    printFmt: "",
  },
];

/** A live guest with nothing enabled; `part` overrides what differs. */
export function fakeFacts(
  part: Partial<TargetFacts> & { readonly enabled?: readonly string[] } = {},
): TargetFacts {
  const { enabled = [], ...rest } = part;
  const all = FORMATS.map(({ id, system, name }): EventFact => ({
    id,
    system,
    name,
    enabled: enabled.includes(`${system}:${name}`),
  }));
  return {
    target: "qemu:web1",
    kernel: "6.1.0-test",
    live: true,
    cpus: 2,
    bufferBytes: 2097152,
    tracer: "function_graph",
    recording: true,
    roots: [],
    maxDepth: 0,
    returnValues: false,
    functions: {
      kernel: "6.1.0-test",
      syscalls: x86_64.syscalls.names,
      offsets: x86_64.ftraceSites.offsets,
      addresses: (name) => {
        const at = ADDRESSES.get(name);
        return at === undefined ? [] : [at];
      },
      glob: (pattern) => {
        const regExp = globRegExp(pattern);
        return NAMES.filter((name) => regExp.test(name));
      },
      near: (name) => nearNames(name, NAMES),
      state: (at) =>
        at === ADDRESSES.get("native_halt") ? "untraceable" : "traced",
    },
    events: {
      all,
      format: (id) => FORMATS.find((format) => format.id === id),
    },
    capabilities: {
      writes: true,
      roots: 0,
      depth: true,
      mute: true,
    },
    ...rest,
  };
}

/** A live guest whose graph roots can be rewritten. */
export const ROOTED = {
  roots: ["__x64_sys_read", "do_exit", "vfs_write"],
  capabilities: {
    writes: true,
    roots: 3,
    depth: true,
    mute: true,
  },
} as const;

/** A live guest that has the module loaded, and no tracer. */
export const LOADED = {
  tracer: "nop",
  capabilities: {
    writes: true,
    roots: 0,
    depth: true,
    mute: true,
    module: {
      tracefs: true,
      page: 0xffffffffc0400000n,
      seal: "siphash+ratchet",
      ringEntries: 32768,
      maxRoots: 512,
      maxFunctions: 32000,
      sharedFilter: true,
    },
  },
} as const;

/** The events of two system calls. */
export const CALLS = [
  "syscalls:sys_enter_openat",
  "syscalls:sys_exit_openat",
  "syscalls:sys_enter_read",
  "syscalls:sys_exit_read",
] as const;
