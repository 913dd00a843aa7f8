/**
 * A hook for each check, as an intruder makes it: words of a recorded guest,
 * changed. Hooks that another kernel does not have are left out there.
 *
 * @module
 */
import { symbolTables } from "../../engine/detect/checks/xf028_symbols.ts";
import { readingOf } from "../../engine/arch/registers.ts";
import { taskRoots } from "../../engine/kernel/objects/page_roots.ts";
import { textIntegrity } from "../../engine/detect/checks/xf020_text.ts";
import type { CheckOptions } from "../../engine/detect/core/context.ts";
import { recordedFlow } from "../../engine/detect/flow/call_flow.ts";
import {
  listedModules,
  readModule,
} from "../../engine/kernel/objects/module_views.ts";
import { threadFunction } from "../../engine/kernel/objects/timers.ts";
import { TraceArray } from "../../engine/ftrace/ring/trace_array.ts";
import { listedLeaders, readTask } from "../../engine/kernel/objects/tasks.ts";
import {
  inodeTables,
  procEntries,
  superBlocks,
} from "../../engine/kernel/objects/vfs.ts";
import {
  jumpSites,
  moduleJumpSites,
} from "../../engine/kernel/patching/jump_labels.ts";
import {
  callIn,
  exitOf,
  lastProcess,
  overwrite,
  recorded,
  siteOf,
  unlink,
  withoutPid,
} from "./hook_parts.ts";
import { POINTER_HOOKS } from "./pointer_hooks.ts";
import { NotHere, type Workshop } from "./workshop.ts";

/** A hook, and the check that is meant for it. */
export interface Hook {
  readonly check: string;
  readonly what: string;
  /**
   * Makes it; returns what the user says of the guest. Options are made of the
   * guest before it was hooked.
   */
  make(workshop: Workshop): CheckOptions;
  /**
   * Whether what every check reads decides on it too: which modules there are.
   * Of what is nobody's, XF016 shows it.
   */
  readonly modules?: boolean;
}

const PLAIN: CheckOptions = {};
const hook = (
  check: string,
  what: string,
  make: (workshop: Workshop) => CheckOptions | void,
): Hook => ({ check, what, make: (shop) => make(shop) ?? PLAIN });
const ofModules = (hook: Hook): Hook => ({ ...hook, modules: true });

/** All hooks, by the ids of their checks. */
export const HOOKS: readonly Hook[] = [
  hook("XF001", "sys_call_table[257] leads to the intruder's code", (shop) => {
    const table = shop.kernel.symbols.address("sys_call_table");
    shop.u64(table + 257n * 8n, shop.code(), true);
  }),
  hook("XF002", "x64_sys_call calls the intruder's code for getcwd", (shop) => {
    shop.branch(exitOf(shop, 79), shop.code());
  }),
  hook("XF002", "x64_sys_call takes getpid's branch for getcwd", (shop) => {
    const getpid = exitOf(shop, 39);
    shop.branch(exitOf(shop, 79), getpid - 1n);
  }),
  hook("XF003", "the gate of vector 4 leads to the intruder's code", (shop) => {
    const gate = shop.kernel.symbols.address("idt_table") + 4n * 16n;
    const to = shop.code();
    const low = shop.kernel.space.u64(gate);
    shop.u64(
      gate,
      low & 0x0000_ffff_ffff_0000n | to & 0xffffn |
        (to >> 16n & 0xffffn) << 48n,
      true,
    );
    shop.u64(gate + 8n, to >> 32n, true);
  }),
  hook("XF004", "an ftrace_ops of the intruder's is on the list", (shop) => {
    const ops = shop.spare();
    const head = shop.kernel.symbols.address("ftrace_ops_list");
    shop.u64(shop.at("ftrace_ops", ops, "func"), shop.code(), true);
    shop.u64(
      shop.at("ftrace_ops", ops, "next"),
      shop.kernel.space.u64(head),
    );
    shop.u64(shop.at("ftrace_ops", ops, "flags"), 1n, true);
    shop.u64(head, ops, true);
  }),
  hook("XF005", "a kprobe of the intruder's", (shop) => {
    const probe = shop.spare();
    const head = shop.kernel.symbols.address("kprobe_table") + 3n * 8n;
    shop.u64(
      shop.at("kprobe", probe, "addr"),
      shop.kernel.symbols.address("vfs_read"),
      true,
    );
    shop.u64(shop.at("kprobe", probe, "pre_handler"), shop.code(), true);
    shop.u64(
      shop.at("kprobe", probe, "hlist.next"),
      shop.kernel.space.u64(head),
    );
    shop.u64(head, shop.at("kprobe", probe, "hlist"), true);
  }),
  hook("XF006", "a probe on the tracepoint sys_enter", (shop) => {
    const funcs = shop.spare();
    const point = shop.kernel.symbols.address("__tracepoint_sys_enter");
    shop.u64(funcs, shop.code(), true);
    shop.u64(shop.at("tracepoint", point, "funcs"), funcs, true);
  }),
  hook("XF007", "a netfilter hook", (shop) => {
    const { symbols } = shop.kernel;
    const entries = shop.spare();
    shop.bytes(
      shop.at("nf_hook_entries", entries, "num_hook_entries"),
      new Uint8Array([1, 0]),
      true,
    );
    shop.u64(shop.at("nf_hook_entries", entries, "hooks"), shop.code(), true);
    const slots = shop.at("net", symbols.address("init_net"), "nf.hooks_ipv4");
    shop.u64(slots + 8n, entries, true);
  }),
  // Near the start of the text, so that each run soon comes to it.
  hook(
    "XF008",
    "a call in do_one_initcall leads to the intruder's code",
    (shop) => {
      shop.branch(callIn(shop, "do_one_initcall") + 1n, shop.code());
    },
  ),
  hook("XF009", "vfs_read begins with a jump", (shop) => {
    const at = siteOf(shop, "vfs_read");
    shop.bytes(at, new Uint8Array([0xe9]), true);
    shop.branch(at + 1n, shop.code());
  }),
  hook("XF010", "tcp4_seq_ops.show leads to the intruder's code", (shop) => {
    const table = shop.kernel.symbols.address("tcp4_seq_ops");
    shop.u64(shop.at("seq_operations", table, "show"), shop.code(), true);
  }),
  hook("XF011", "an inode of /proc has other operations", (shop) => {
    const { kernel } = shop;
    const proc = superBlocks(kernel).find(({ type }) => type === "proc");
    const use = proc && inodeTables(kernel, proc, 4096).uses
      .find(({ struct }) => struct === "file_operations");
    if (use === undefined) throw new Error("/proc has no inode");
    const table = shop.copy(use.struct, use.table);
    shop.u64(shop.at(use.struct, table, "read"), shop.code(), true);
    shop.u64(use.address, table, true);
  }),
  hook("XF012", "/proc/modules has other operations", (shop) => {
    const { kernel } = shop;
    const entry = procEntries(
      kernel,
      kernel.symbols.address("proc_root"),
    ).find(({ path }) => path === "modules");
    const use = entry?.tables.find(({ member }) => member === "proc_ops");
    if (use === undefined) throw new Error("there is no /proc/modules");
    const table = shop.copy("proc_ops", use.table);
    shop.u64(shop.at("proc_ops", table, "proc_read"), shop.code(), true);
    shop.u64(use.address, table, true);
  }),
  hook("XF013", "a keylogger on keyboard_notifier_list", (shop) => {
    const block = shop.spare();
    const { symbols, space } = shop.kernel;
    const head = shop.at(
      "atomic_notifier_head",
      symbols.address("keyboard_notifier_list"),
      "head",
    );
    shop.u64(
      shop.at("notifier_block", block, "notifier_call"),
      shop.code(),
      true,
    );
    shop.u64(shop.at("notifier_block", block, "next"), space.u64(head));
    shop.u64(head, block, true);
  }),
  hook("XF013", "a line discipline leads to the intruder's code", (shop) => {
    const table = shop.kernel.symbols.address("tty_ldiscs");
    const ops = shop.copy("tty_ldisc_ops", shop.kernel.space.u64(table));
    shop.u64(shop.at("tty_ldisc_ops", ops, "read"), shop.code(), true);
    shop.u64(table, ops, true);
  }),
  hook("XF014", "a security hook of the intruder's", (shop) => {
    const { symbols, space, types } = shop.kernel;
    const heads = symbols.tryAddress("security_hook_heads");
    if (heads === undefined) {
      const calls = shop.at(
        "lsm_static_calls_table",
        symbols.address("static_calls_table"),
        "file_open",
      );
      const list = shop.spare();
      shop.u64(
        shop.at("security_hook_list", list, "hook"),
        shop.code(),
        true,
      );
      shop.u64(
        calls + BigInt(types.offset("lsm_static_call", "hl")),
        list,
        true,
      );
      return;
    }
    const head = shop.at("security_hook_heads", heads, "file_open");
    const list = shop.spare();
    shop.u64(shop.at("security_hook_list", list, "hook"), shop.code(), true);
    shop.u64(
      shop.at("security_hook_list", list, "list.next"),
      space.u64(head),
    );
    shop.u64(head, shop.at("security_hook_list", list, "list"), true);
  }),
  ofModules(hook("XF015", "a module is taken off the list", (shop) => {
    unlink(shop, shop.at("module", listedModules(shop.kernel)[0], "list"));
  })),
  ofModules(hook("XF015", "a module is in memory alone", (shop) => {
    const { kernel } = shop;
    const [gva, another] = listedModules(kernel);
    if (another === undefined) throw new NotHere("there is one module only");
    unlink(shop, shop.at("module", gva, "list"));
    unlink(shop, shop.at("module", gva, "mkobj.kobj.entry"));
    for (const node of ["core_layout.mtn.node", "mem[0].mtn.node"]) {
      const at = kernel.types.tryOffset("module", node);
      if (at !== undefined) {
        shop.u64(
          gva + BigInt(at + kernel.types.offset("mod_tree_node", "mod")) -
            BigInt(kernel.types.offset("mod_tree_node", "node")),
          another,
        );
      }
    }
  })),
  hook("XF016", "a page of code that belongs to nobody", (shop) => {
    shop.code();
  }),
  hook("XF016", "a page of code right before a module's", (shop) => {
    shop.codeBeforeModule();
  }),
  hook("XF017", "a process is on no list and has no pid", (shop) => {
    const gva = lastProcess(shop.kernel);
    unlink(shop, shop.at("task_struct", gva, "tasks"));
    withoutPid(shop, gva);
  }),
  hook("XF017", "a process is in memory alone", (shop) => {
    const { kernel } = shop;
    const gva = lastProcess(kernel);
    unlink(shop, shop.at("task_struct", gva, "tasks"));
    unlink(shop, shop.at("task_struct", gva, "sibling"));
    unlink(shop, shop.at("task_struct", gva, "cg_list"));
    withoutPid(shop, gva);
  }),
  hook("XF018", "a kernel thread runs the intruder's code", (shop) => {
    const { kernel } = shop;
    const thread = listedLeaders(kernel).map((gva) => readTask(kernel, gva))
      .findLast(({ kernelThread, pid }) => kernelThread && pid > 2);
    if (thread === undefined) throw new Error("there is no kernel thread");
    const { gva } = threadFunction(kernel, thread);
    shop.u64(shop.at("kthread", gva, "threadfn"), shop.code(), true);
  }),
  hook("XF018", "a timer of the intruder's", (shop) => {
    const { kernel } = shop;
    const vectors = shop.at(
      "timer_base",
      kernel.perCpu("timer_bases", 0),
      "vectors",
    );
    let free = vectors + 40n * 8n;
    while (kernel.space.u64(free) !== 0n) free += 8n;
    const timer = shop.spare();
    shop.u64(shop.at("timer_list", timer, "function"), shop.code(), true);
    shop.u64(shop.at("timer_list", timer, "entry.pprev"), free);
    shop.u64(free, timer, true);
  }),
  hook("XF019", "ftrace_enabled is cleared", (shop) => {
    shop.u32(shop.kernel.symbols.address("ftrace_enabled"), 0, true);
  }),
  hook("XF019", "recording is switched off from outside", (shop) => {
    const { object } = TraceArray.global(shop.kernel).buffer();
    shop.u32(object.at("record_disabled"), 1, true);
  }),
  hook("XF020", "text is not what was recorded", (shop) => {
    const options = recorded(shop.kernel);
    overwrite(shop, 0xb8);
    return options;
  }),
  hook("XF021", "a call of the intruder's code was recorded", (shop) => {
    const { functions } = recordedFlow(shop.kernel);
    const rare = functions.toSorted((a, b) => a.calls - b.calls)[0];
    const needle = new Uint8Array(8);
    new DataView(needle.buffer).setBigUint64(0, rare.gva, true);
    for (const gpa of shop.memory.search(needle)) {
      for (let i = 0; i < 8; i += 4) {
        const word = gpa + i - (gpa + i) % 8;
        const shift = BigInt(8 * ((gpa + i) % 8));
        const half = shop.code() >> BigInt(8 * i) & 0xffff_ffffn;
        const mask = 0xffff_ffffn << shift;
        shop.poke(word, shop.memory.peek(word) & ~mask | half << shift, true);
      }
    }
  }),
  hook("XF022", "calls run more functions than before", ({ kernel }) => {
    const { flow, events } = recordedFlow(kernel);
    for (const one of flow.values()) {
      const sizes = [...one.sizes];
      one.sizes.clear();
      for (const [size, count] of sizes) one.sizes.set(size + 1000, count * 20);
    }
    const { release, buildId } = kernel.facts;
    return { baseline: { release, buildId: buildId ?? null, events, flow } };
  }),
  hook("XF023", "a jump label leads to the intruder's code", (shop) => {
    const { space, symbols } = shop.kernel;
    const end = symbols.address("_etext");
    const site = jumpSites(shop.kernel).find(({ code }) =>
      code < end && space.u8(code) === 0x0f && space.u8(code + 4n) === 0
    );
    if (site === undefined) throw new Error("there is no jump label");
    shop.bytes(site.code, new Uint8Array([0xe9]), true);
    shop.branch(site.code + 1n, shop.code());
  }),
  hook("XF023", "a jump label of a module leads to the intruder's code", (
    shop,
  ) => {
    const { kernel } = shop;
    for (const gva of listedModules(kernel)) {
      const { text } = readModule(kernel, gva);
      const site = moduleJumpSites(kernel, gva).find(({ code }) =>
        text.some(({ start, end }) => code >= start && code < end) &&
        kernel.space.u8(code) === 0x0f && kernel.space.u8(code + 4n) === 0
      );
      if (site === undefined) continue;
      shop.bytes(site.code, new Uint8Array([0xe9]), true);
      return shop.branch(site.code + 1n, shop.code());
    }
    throw new NotHere("no module has a jump label");
  }),
  hook("XF024", "a module's text is not what was recorded", (shop) => {
    const options = recorded(shop.kernel);
    const text = shop.moduleText;
    shop.bytes(text + 16n, new Uint8Array([0x31, 0xc0]), true);
    return options;
  }),
  hook("XF025", "text was overwritten", (shop) => overwrite(shop, 0x06)),
  hook("XF026", "a breakpoint in the kernel that nobody booked", (shop) => {
    const { arch, space, symbols } = shop.kernel;
    const cpu = {
      cpu: 0,
      values: {
        cr0: 0x8005_0033n,
        cr3: BigInt(space.tables.root),
        cr4: 0x75_1ef0n,
        efer: 0xd01n,
        dr0: symbols.address("vfs_read"),
        dr7: 0x402n,
      },
    };
    return {
      registers: () =>
        readingOf(arch.registers, shop.memory, [cpu], "QEMU's monitor"),
    };
  }),
  hook("XF027", "a process runs on page tables with another kernel", (shop) => {
    const { kernel } = shop;
    const task = lastProcess(kernel);
    const root = [...taskRoots(kernel)].find(({ gva }) =>
      gva === shop.at("task_struct", task, "mm")
    );
    if (root?.gpa === undefined) {
      throw new Error("the process has no page tables");
    }
    shop.diverge(root.gpa, kernel.symbols.address("vfs_read"));
  }),
  hook("XF028", "the types are not what was recorded", (shop) => {
    const options = recorded(shop.kernel, [textIntegrity, symbolTables]);
    // A letter of the last name in BTF's strings.
    const end = shop.kernel.symbols.address("__stop_BTF");
    const letter = shop.kernel.space.u8(end - 3n);
    shop.bytes(end - 3n, new Uint8Array([letter ^ 1]), true);
    return options;
  }),
  ...POINTER_HOOKS.map(([what, make, modules]) => {
    const made = hook("XF029", what, make);
    return modules ? ofModules(made) : made;
  }),
];
