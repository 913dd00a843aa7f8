/**
 * Names of system calls' functions. People write `sys_openat`, as the kernel's
 * sources do; kernels put a prefix of the architecture's before it.
 *
 * @module
 */

/** How an architecture's kernels name the functions of system calls. */
export class SyscallNames {
  readonly #prefixes: readonly string[];

  /**
   * @param prefixes what stands for `sys_`: that of today's kernels, then
   * those of older ones
   */
  constructor(prefixes: readonly [string, ...string[]]) {
    this.#prefixes = prefixes;
  }

  /** What the function of `sys_openat` is called; other names as they are. */
  entry(name: string): string {
    return this.spellings(name)[0];
  }

  /** As {@linkcode entry}: as kernels of today and before have called it. */
  spellings(name: string): string[] {
    const call = /^(?:sys|SyS)_(.*)$/s.exec(name)?.[1];
    return call === undefined
      ? [name]
      : this.#prefixes.map((prefix) => prefix + call);
  }

  /** `sys_openat` for the function's name; other names as they are. */
  readonly short = (name: string): string => {
    const [today] = this.#prefixes;
    return name.startsWith(today) ? `sys_${name.slice(today.length)}` : name;
  };

  /** Whether a name is that of a system call, short or not. */
  isSyscall(name: string): boolean {
    return /^(?:sys|SyS)_/.test(name) || name.startsWith(this.#prefixes[0]);
  }
}
