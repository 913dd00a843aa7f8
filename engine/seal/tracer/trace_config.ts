/**
 * What the module is to trace: resolves function names to the addresses by
 * which Ftrace knows them, and builds the message for the module.
 *
 * @module
 */
import { allocateBytes } from "../../base/allocate.ts";
import { syscallParameters } from "../../arch/syscall_parameters.ts";
import type { Syscalls } from "../../arch/syscalls.ts";
import { KernelError, MemoryError } from "../../base/errors.ts";
import { functionIndex } from "../../kernel/functions/index.ts";
import { resolveFunctions } from "../../kernel/functions/resolve.ts";
import { ftraceSite } from "../../kernel/patching/ftrace_site.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import {
  CONFIG,
  CONFIG_FLAG,
  MAX_RANGES,
  MAX_ROOTS,
  SEAL_NUMBER,
  type SealName,
  SYSCALLS,
} from "../page/abi.ts";
import { MODULE_NAME } from "../page/control_page.ts";

/** What to trace, and how to seal it. */
export interface SealedConfig {
  /**
   * Functions whose calls are recorded, together with everything below them.
   * Globs are allowed.
   */
  readonly roots: readonly string[];
  /**
   * Functions recorded below a root, in addition to the roots: names and globs,
   * or "all" (slow to switch on and off). Default: none.
   */
  readonly filter?: readonly string[] | "all";
  /** Levels below a root, including the root; 0 (default): all. */
  readonly depth?: number;
  /** Record what interrupts do below a root; default false. */
  readonly interrupts?: boolean;
  /** Record system-call arguments and paths; default true. */
  readonly arguments?: boolean;
  /**
   * Also record the functions of all loaded modules, so that a hook is seen
   * where the dispatcher calls it; default true.
   */
  readonly hooks?: boolean;
  /**
   * Functions in the filter that the system-call dispatcher calls are roots, in
   * addition to the named ones; default true.
   */
  readonly dispatcher?: boolean;
  /** The seal; default `siphash+ratchet`. */
  readonly seal?: SealName;
  /**
   * Milliseconds after being switched off until the guest's functions run as if
   * untraced; after that, the first entry appears some ten milliseconds later
   * when switched on again. Default 200; 0: never. With more than 4096
   * functions it is always never, since restoring their calls takes long.
   */
  readonly idleMs?: number;
}

/** Default of {@linkcode SealedConfig.idleMs}, in milliseconds. */
const IDLE_MS = 200;
/** Number of functions whose call sites can be changed quickly. */
const FEW_FUNCTIONS = 4096;
/** More bytes than the addresses of all of a kernel's functions take. */
const MOST_MESSAGE = 16 << 20;

/** A configuration in the form that is sent to the module. */
export interface ResolvedConfig {
  readonly message: Uint8Array;
  readonly roots: readonly bigint[];
  readonly filter: readonly bigint[];
  readonly seal: SealName;
  /** CONFIG_FLAG. */
  readonly flags: number;
  /** Levels below a root; 0: all. */
  readonly maxDepth: number;
}

/** The text of the system-call dispatcher, as half-open ranges of GVAs. */
export function dispatcherRanges(
  kernel: Kernel,
): { start: bigint; end: bigint }[] {
  const ranges: { start: bigint; end: bigint }[] = [];
  for (const name of kernel.arch.syscalls.dispatchers) {
    const start = kernel.symbols.tryAddress(name);
    if (start === undefined) continue;
    const size = kernel.symbols.lookup(start)?.size ?? 0;
    if (size > 0) ranges.push({ start, end: start + BigInt(size) });
  }
  return ranges.slice(0, MAX_RANGES);
}

/**
 * Addresses by which Ftrace knows the functions that
 * {@linkcode resolveFunctions} finds for some names.
 *
 * @throws {KernelError} for a name that the kernel does not have, or that it
 * cannot trace.
 */
export function functionAddresses(
  kernel: Kernel,
  names: readonly string[],
): bigint[] {
  const index = functionIndex(kernel);
  const found = new Set<bigint>();
  for (const name of names) {
    const ips = resolveFunctions(index, name).functions
      .flatMap(({ addresses }) => addresses)
      .map((address) => traceable(kernel, address))
      .filter((ip) => ip !== undefined);
    if (ips.length === 0) {
      throw new KernelError(`the text of ${name} cannot be read`);
    }
    for (const ip of ips) found.add(ip);
  }
  return [...found];
}

function traceable(kernel: Kernel, address: bigint): bigint | undefined {
  try {
    return ftraceSite(kernel, address)?.ip;
  } catch (error) {
    // Symbols of init sections remain when their memory has been freed.
    if (error instanceof MemoryError) return undefined;
    throw error;
  }
}

/** One byte per system call: bit N is set when argument N is a path. */
function pathArguments(syscalls: Syscalls): Uint8Array {
  const masks = new Uint8Array(SYSCALLS);
  for (const [number, parameters] of syscallParameters(syscalls)) {
    parameters.forEach(({ isPath }, i) => {
      if (isPath && number < SYSCALLS) masks[number] |= 1 << i;
    });
  }
  return masks;
}

/** All functions of loaded modules that can be traced. */
function moduleFunctions(kernel: Kernel): bigint[] {
  const found = new Set<bigint>();
  for (const module of kernel.live.modules) {
    if (module.name === MODULE_NAME) continue;
    for (const address of module.symbols.addresses) {
      if (address < module.text.start || address >= module.text.end) continue;
      const ip = traceable(kernel, address);
      if (ip !== undefined) found.add(ip);
    }
  }
  return [...found];
}

/**
 * Resolves a configuration for a kernel.
 *
 * @throws {KernelError} like {@linkcode functionAddresses}.
 */
export function resolveConfig(
  kernel: Kernel,
  config: SealedConfig,
): ResolvedConfig {
  kernel.live.refresh();
  const all = config.filter === "all";
  const roots = functionAddresses(kernel, config.roots);
  if (roots.length > MAX_ROOTS) {
    throw new KernelError(
      `${roots.length} roots are more than the module takes (${MAX_ROOTS}); name fewer`,
    );
  }
  const filter = new Set<bigint>(all ? [] : roots);
  if (config.filter !== undefined && config.filter !== "all") {
    for (const ip of functionAddresses(kernel, config.filter)) filter.add(ip);
  }
  if (config.hooks !== false && !all) {
    for (const ip of moduleFunctions(kernel)) filter.add(ip);
  }
  if (!all && filter.size === 0) {
    throw new KernelError(
      "nothing to trace: name a function, such as sys_openat",
    );
  }
  const ranges = config.dispatcher === false || (roots.length === 0 && all)
    ? []
    : dispatcherRanges(kernel);
  const seal = config.seal ?? "siphash+ratchet";
  const message = allocateBytes(
    CONFIG.bytes + (roots.length + filter.size) * 8,
    MOST_MESSAGE,
    "the list of functions",
  );
  const view = new DataView(message.buffer);
  const flags = (all ? CONFIG_FLAG.all_functions : 0) |
    (config.interrupts === true ? CONFIG_FLAG.interrupts : 0) |
    (config.arguments === false ? 0 : CONFIG_FLAG.arguments) |
    (roots.length === 0 ? CONFIG_FLAG.any_root : 0);
  const maxDepth = config.depth ?? 0;
  view.setUint32(CONFIG.flags, flags, true);
  view.setUint32(CONFIG.seal, SEAL_NUMBER[seal], true);
  view.setUint32(CONFIG.max_depth, maxDepth, true);
  view.setUint32(CONFIG.root_count, roots.length, true);
  view.setUint32(CONFIG.filter_count, filter.size, true);
  view.setUint32(CONFIG.range_count, ranges.length, true);
  const few = !all && filter.size <= FEW_FUNCTIONS;
  view.setUint32(CONFIG.idle_ms, few ? config.idleMs ?? IDLE_MS : 0, true);
  ranges.forEach(({ start, end }, i) => {
    view.setBigUint64(CONFIG.ranges + i * 16, start, true);
    view.setBigUint64(CONFIG.ranges + i * 16 + 8, end, true);
  });
  message.set(pathArguments(kernel.arch.syscalls), CONFIG.path_arguments);
  let at: number = CONFIG.bytes;
  for (const ip of [...roots, ...filter]) {
    view.setBigUint64(at, ip, true);
    at += 8;
  }
  return { message, roots, filter: [...filter], seal, flags, maxDepth };
}
