/**
 * From the names people use to the functions a kernel has: `sys_open` is
 * `__x64_sys_open` on today's x86-64 kernels.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Symbols } from "./symbols.ts";

/** A function that was asked for, and what it stands for in this kernel. */
export interface NamedFunctions {
  /** The name as it was given. */
  readonly asked: string;
  /** Functions of the kernel, by their symbol names. */
  readonly functions: readonly { name: string; gva: bigint }[];
  /** What a user should know of the expansion, one sentence. */
  readonly note?: string;
}

/**
 * System calls that today's C libraries make in place of older ones: asking
 * for the old one alone would show nothing.
 */
const SUCCESSORS: Readonly<Record<string, readonly string[]>> = {
  access: ["faccessat", "faccessat2"],
  chmod: ["fchmodat"],
  chown: ["fchownat"],
  creat: ["openat"],
  dup2: ["dup3"],
  epoll_wait: ["epoll_pwait"],
  fork: ["clone", "clone3"],
  getdents: ["getdents64"],
  link: ["linkat"],
  lstat: ["newfstatat", "statx"],
  mkdir: ["mkdirat"],
  mknod: ["mknodat"],
  open: ["openat"],
  pipe: ["pipe2"],
  poll: ["ppoll"],
  readlink: ["readlinkat"],
  rename: ["renameat2", "renameat"],
  rmdir: ["unlinkat"],
  select: ["pselect6"],
  stat: ["newfstatat", "statx"],
  symlink: ["symlinkat"],
  unlink: ["unlinkat"],
  vfork: ["clone", "clone3"],
};

/** How kernels have named a system call's function on x86-64. */
const PREFIXES = ["__x64_sys_", "__se_sys_", "sys_"];

function syscallFunction(
  symbols: Symbols,
  call: string,
): { name: string; gva: bigint } | undefined {
  for (const prefix of PREFIXES) {
    const gva = symbols.tryAddress(prefix + call);
    if (gva !== undefined) return { name: prefix + call, gva };
  }
  return undefined;
}

/**
 * Resolves one name: a system call (`sys_read`), a kernel function, or a glob
 * over kernel functions (`vfs_*`).
 *
 * @throws {KernelError} when the kernel has no such function, with near ones.
 */
export function resolveFunction(
  symbols: Symbols,
  asked: string,
): NamedFunctions {
  if (/[*?[]/.test(asked)) return resolveGlob(symbols, asked);
  const call = /^(?:sys|SyS)_(\w+)$/.exec(asked)?.[1];
  if (call !== undefined) {
    const found = [call, ...(SUCCESSORS[call] ?? [])]
      .map((name) => syscallFunction(symbols, name))
      .filter((found) => found !== undefined);
    if (found.length > 0) {
      const names = found.map(({ name }) => name).join(", ");
      return {
        asked,
        functions: found,
        ...(found.length > 1
          ? { note: `${asked} stands for ${names}: C libraries call the newer` }
          : {}),
      };
    }
  }
  const addresses = symbols.addresses(asked);
  if (addresses.length > 0) {
    return {
      asked,
      functions: addresses.map((gva) => ({ name: asked, gva })),
      ...(addresses.length > 1
        ? {
          note: `${asked} names ${addresses.length} functions: all are meant`,
        }
        : {}),
    };
  }
  const near = nearFunctions(symbols, asked);
  throw new KernelError(
    `the guest's kernel has no function ${asked}` +
      (near.length > 0 ? `; near: ${near.join(", ")}` : ""),
  );
}

function resolveGlob(symbols: Symbols, asked: string): NamedFunctions {
  const pattern = asked.startsWith("sys_") ? "__x64_" + asked : asked;
  const names = [...new Set(symbols.glob(pattern))];
  const functions = names.flatMap((name) =>
    symbols.addresses(name).map((gva) => ({ name, gva }))
  );
  if (functions.length === 0) {
    throw new KernelError(
      `no function of the guest's kernel matches ${asked}`,
    );
  }
  return {
    asked,
    functions,
    note: `${asked} matches ${functions.length} functions`,
  };
}

/** Near matches as the user would write them: system calls as `sys_...`. */
function nearFunctions(symbols: Symbols, asked: string): string[] {
  const spelled = asked.startsWith("sys_") ? "__x64_" + asked : asked;
  const near = symbols.near(spelled, 5)
    .map((name) => name.replace(/^__x64_(?=sys_)/, ""));
  return [...new Set(near)];
}
