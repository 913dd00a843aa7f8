/**
 * Names of the functions that implement system calls. Users write `sys_openat`
 * like the kernel's sources; kernels add an architecture-specific prefix.
 *
 * @module
 */

/** How an architecture's kernels name the functions of system calls. */
export class SyscallNames {
  readonly #prefixes: readonly string[];

  /**
   * @param prefixes the prefixes that replace `sys_`: first that of current
   * kernels, then those of older ones
   */
  constructor(prefixes: readonly [string, ...string[]]) {
    this.#prefixes = prefixes;
  }

  /**
   * The name of the function behind `sys_openat`; other names are returned
   * unchanged.
   */
  entry(name: string): string {
    return this.spellings(name)[0];
  }

  /**
   * Like {@linkcode entry}, with the names of current kernels first and then
   * those of older ones.
   */
  spellings(name: string): string[] {
    const call = /^(?:sys|SyS)_(.*)$/s.exec(name)?.[1];
    return call === undefined
      ? [name]
      : this.#prefixes.map((prefix) => prefix + call);
  }

  /**
   * `sys_openat` for the name of its function; other names are returned
   * unchanged.
   */
  readonly short = (name: string): string => {
    const [today] = this.#prefixes;
    return name.startsWith(today) ? `sys_${name.slice(today.length)}` : name;
  };

  /** Whether a name is that of a system call, in short or full form. */
  isSyscall(name: string): boolean {
    return /^(?:sys|SyS)_/.test(name) || name.startsWith(this.#prefixes[0]);
  }
}
