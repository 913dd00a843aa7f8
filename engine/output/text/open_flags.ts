/**
 * The flags of `open`, as a kernel prints them that decodes them
 * (kernel/trace/trace_syscalls.c of 7.2, sys_enter_openat_print). Their values
 * differ between architectures, and are those of the event's print_fmt.
 *
 * @module
 */

/** How open's flags are printed. */
export interface OpenFlags {
  /** The flags by name, separated by `|`. */
  text(bits: number): string;
  /** The flags with which the mode is printed (`O_CREAT|O_TMPFILE`). */
  readonly creating: number;
}

/** O_ACCMODE: the two bits with 0 for O_RDONLY. */
const ACCESS = 3;
/** include/uapi/asm-generic/fcntl.h: O_TMPFILE is this bit and O_DIRECTORY. */
const TMPFILE = 0x400000;

/**
 * The flags in the print_fmt of `sys_enter_openat`; `undefined` if this kernel
 * does not decode them.
 */
export function openFlags(printFmt: string): OpenFlags | undefined {
  if (!/flags: %s%s, mode: 0%03o"/.test(printFmt)) return undefined;
  const named = [...printFmt.matchAll(/\{ 0x([0-9a-f]{1,8}), "(O_\w+)" \}/g)]
    .map(([, value, name]) => ({ name, mask: Number.parseInt(value, 16) }));
  const value = (name: string) =>
    named.find((flag) => flag.name === name)?.mask;
  const create = value("O_CREAT");
  const directory = value("O_DIRECTORY");
  if (create === undefined || directory === undefined) return undefined;
  const temporary = TMPFILE | directory;
  const flags = [{ name: "O_TMPFILE", mask: temporary }, ...named];
  return {
    creating: create | temporary,
    text: (bits) => {
      if (bits === 0) return "O_RDONLY";
      const names = (bits & ACCESS) === 0 ? ["O_RDONLY"] : [];
      let rest = bits;
      for (const { name, mask } of flags) {
        if (rest === 0) break;
        if ((rest & mask) !== mask) continue;
        rest &= ~mask;
        names.push(name);
      }
      // An int that becomes an unsigned long.
      if (rest !== 0) {
        names.push(`0x${BigInt.asUintN(64, BigInt(rest)).toString(16)}`);
      }
      return names.join("|");
    },
  };
}
