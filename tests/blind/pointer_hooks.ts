/**
 * Hooks for XF029: pointers to an intruder's code, in each kind of memory that
 * is told apart by other words of the guest's. No other check reads the places.
 *
 * @module
 */
import { CheckContext } from "../../engine/detect/core/context.ts";
import { Holders } from "../../engine/detect/pointers/holders.ts";
import {
  listedModules,
  type ModuleView,
  readModule,
} from "../../engine/kernel/objects/module_views.ts";
import { stacks } from "../../engine/kernel/objects/stacks.ts";
import { superBlocks } from "../../engine/kernel/objects/vfs.ts";
import { unlink } from "./hook_parts.ts";
import { again, NotHere, type Workshop } from "./workshop.ts";

/** Into a page of the intruder's code: where the intruder's objects lie. */
const OBJECT = 0x400n;
/** Modules that nothing, or a single word, leads to. */
const QUIET = ["virtio_pci_legacy_dev", "virtio_mmio"];
/** Bytes that an object of the intruder's needs. */
const ROOM = 192;
/** TAINT_OOT_MODULE and TAINT_UNSIGNED_MODULE. */
const TAINTS = 1n << 12n | 1n << 13n;

/** A protocol's function is the intruder's: a variable. */
function protocol(shop: Workshop): void {
  const proto = shop.kernel.symbols.address("tcp_prot");
  shop.u64(shop.at("proto", proto, "recvmsg"), shop.code(), true);
}

/** A list of packet taps leads to an object of the intruder's: a variable. */
function packetTap(shop: Workshop): void {
  const { space, symbols } = shop.kernel;
  const list = symbols.tryAddress("ptype_all");
  if (list === undefined) throw new NotHere("it has no ptype_all");
  const tap = shop.code() + OBJECT;
  shop.u64(shop.at("packet_type", tap, "func"), shop.code(), true);
  const node = shop.at("packet_type", tap, "list");
  shop.u64(node, space.u64(list));
  shop.u64(node + 8n, list);
  shop.u64(list, node, true);
}

/** The operations of one dentry are the intruder's: an object of a cache. */
function dentryOperations(shop: Workshop): void {
  const { kernel } = shop;
  const proc = superBlocks(kernel).find(({ type }) => type === "proc");
  if (proc === undefined) throw new NotHere("it has no /proc");
  const root = kernel.object("super_block", proc.gva).u64("s_root");
  shop.u64(shop.at("dentry", root, "d_op"), shop.code() + OBJECT, true);
}

/** A function of the intruder's waits on the stack of a task that sleeps. */
function sleepingStack(shop: Workshop): void {
  const stack = stacks(shop.kernel).findLast(({ pointer, end }) =>
    pointer !== undefined && end - pointer > 512n
  );
  if (stack?.pointer === undefined) throw new NotHere("no task sleeps");
  shop.u64((stack.pointer & ~7n) + 256n, shop.code(), true);
}

/** A timer of the intruder's: a CPU's own variable. */
function cpuVariable(shop: Workshop): void {
  const { kernel } = shop;
  let slot = shop.at(
    "timer_base",
    kernel.perCpu("timer_bases", 1),
    "vectors",
  ) + 48n * 8n;
  while (kernel.space.u64(slot) !== 0n) slot += 8n;
  shop.u64(slot, shop.code() + OBJECT, true);
}

/** An object of the intruder's in pages that are of no cache. */
function plainPage(shop: Workshop): void {
  const { kernel, memory } = shop;
  const holders = new Holders(new CheckContext(again(kernel), {}));
  for (const { start, end } of memory.ranges) {
    for (let gpa = start + (2 << 20); gpa < end; gpa += kernel.pageSize) {
      const place = gpa + 2048;
      if (memory.peek(place) !== 0n) continue;
      const { use, address } = holders.at(place);
      const mapped = kernel.space.tryTranslate(address)?.gpa === place;
      if (use !== "kernel" || !mapped) continue;
      return shop.u64(address, shop.code(), true);
    }
  }
  throw new NotHere("no page is of no cache");
}

/** A module that nobody vouches for has the kernel run a function of its own. */
function unvouched(shop: Workshop): void {
  const module = quiet(shop);
  distrust(shop, module);
  const proto = shop.kernel.symbols.address("tcp_prot");
  shop.u64(shop.at("proto", proto, "recvmsg"), module.text[0].start, true);
}

/** A list of the kernel's leads to an object in such a module's data. */
function unvouchedData(shop: Workshop): void {
  const module = quiet(shop);
  distrust(shop, module);
  const { space, symbols } = shop.kernel;
  const list = symbols.tryAddress("ptype_all");
  if (list === undefined) throw new NotHere("it has no ptype_all");
  const tap = roomIn(shop, module);
  shop.u64(shop.at("packet_type", tap, "func"), module.text[0].start, true);
  const node = shop.at("packet_type", tap, "list");
  shop.u64(node, space.u64(list));
  shop.u64(node + 8n, list);
  shop.u64(list, node, true);
}

/** A function of a module that was taken off the list. */
function hiddenModule(shop: Workshop): void {
  const module = quiet(shop);
  unlink(shop, shop.at("module", module.gva, "list"));
  const proto = shop.kernel.symbols.address("tcp_prot");
  shop.u64(shop.at("proto", proto, "recvmsg"), module.text[0].start, true);
}

/** A word in the data of a module that is vouched for: such as its operations. */
function moduleData(shop: Workshop): void {
  shop.u64(roomIn(shop, quiet(shop)), shop.code(), true);
}

function quiet({ kernel }: Workshop): ModuleView {
  const modules = listedModules(kernel).map((gva) => readModule(kernel, gva));
  for (const name of QUIET) {
    const module = modules.find((one) => one.name === name);
    if (module !== undefined) return module;
  }
  throw new NotHere(`it has none of the modules ${QUIET.join(", ")}`);
}

/** Makes a module one that was built out of tree, and that nobody signed. */
function distrust(shop: Workshop, { gva }: ModuleView): void {
  const at = shop.at("module", gva, "taints");
  shop.u64(at, shop.kernel.space.u64(at) | TAINTS, true);
  if (shop.kernel.types.tryOffset("module", "sig_ok") !== undefined) {
    shop.bytes(shop.at("module", gva, "sig_ok"), new Uint8Array(1), true);
  }
}

/** GVA of room for an object in a module's own data. */
function roomIn({ kernel }: Workshop, { gva, ranges }: ModuleView): bigint {
  const own = ranges.find(({ start, end }) => gva >= start && gva < end);
  if (own === undefined) throw new NotHere("the module has no data");
  const bytes = kernel.space.bytes(own.start, Number(own.end - own.start));
  for (let at = bytes.length - ROOM; at > 0; at -= 64) {
    if (own.start + BigInt(at) < gva) break;
    if (bytes.subarray(at, at + ROOM).every((byte) => byte === 0)) {
      return own.start + BigInt(at);
    }
  }
  throw new NotHere("the module's data has no room");
}

/** What each is, how it is made, and whether modules decide on it. */
export const POINTER_HOOKS: readonly (readonly [
  what: string,
  make: (shop: Workshop) => void,
  modules: boolean,
])[] = [
  ["a protocol receives by the intruder's code", protocol, false],
  ["a packet tap of the intruder's", packetTap, false],
  ["a dentry has the intruder's operations", dentryOperations, false],
  ["a sleeping task's stack leads there", sleepingStack, false],
  ["a CPU's timers lead there", cpuVariable, false],
  ["a page of no cache leads there", plainPage, false],
  ["the data of a module leads there", moduleData, true],
  ["a module that nobody vouches for", unvouched, true],
  ["the data of such a module", unvouchedData, true],
  ["a module off the list", hiddenModule, true],
];
