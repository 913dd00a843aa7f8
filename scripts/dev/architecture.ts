/**
 * What is so on one architecture alone stands in engine/arch/NAME/, and the
 * rest asks for it. Pure.
 *
 * Where the line is: code and comments of the library and of the commands
 * (engine but for engine/arch, ffi, dsl, mod.ts, live.ts, scripts/cli,
 * scripts/collector) name no architecture, no page size and nothing of a
 * processor's. What shows a user what a kernel names is none of that:
 *
 * - a command as it is typed (`xftrace functions '__x64_sys_*'`) in a help text,
 *   and the `@example` of a doc comment, which runs on a recorded guest;
 * - names out of kernels that a program wrote down ("Written by generate.ts");
 * - a name that has an architecture's within it (`cpuinfo_x86`, and releases
 *   such as `6.11.4-301.fc41.x86_64`).
 *
 * The lab, the guest's module, tests, benches and the developer's own scripts
 * are about guests that there are, and may name them.
 *
 * @module
 */
import { isCode, isForTests, type Violation, withoutComment } from "./rules.ts";

/** Words of x86-64, and what they are. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/__(?:x64|ia32)_\w*|\bia32_\w+/, "a system call's function"],
  [
    /\b(?:x64_sys_call|x32_sys_call|do_syscall_64|entry_SYSCALL\w*|do_int80\w*)/,
    "entry code",
  ],
  [/\bendbr\w*|\w*fentry\w*|\bint3\b|\bNOP5\b/i, "an instruction"],
  [/(?<![.\w])x86(?:[-_]64)?(?!\w)|\bR_X86\w*/i, "an architecture"],
  [
    /(?<![$\w])(?:cr3|rdi|rsi|rip|idtr|MSR_[A-Z]\w*)(?!\w)/i,
    "a register",
  ],
  [
    /\b0x(?!(?:f_?){16}n?\b)f_?f_?f_?f_?(?:[0-9a-f]_?){12}n?\b/i,
    "an address",
  ],
];

/** A size or mask of 4 KiB pages, and shifts by its bits; `1 << 12` is a bit. */
const PAGE_SIZE = /\b(?:4096|0x1000|0xfff)n?\b|(?<!\b1n? )(?:<<|>>>?) ?12n?\b/;
/** A limit that happens to be the same number, and says what it is. */
const NAMED_LIMIT = /^(?:export )?const (?!\w*PAGE)[A-Z][A-Z0-9_]* = 4096n?;$/;

/** Whether a file belongs to what knows no architecture. */
export function isNeutral(path: string): boolean {
  return isCode(path) && !isForTests(path) &&
    /^(?:(?:engine|ffi|dsl|scripts\/cli|scripts\/collector)\/|(?:mod|live)\.ts$)/
      .test(path) &&
    !path.startsWith("engine/arch/");
}

/** The places in a file's text at which it knows more than it may. */
export function brokenByArchitecture(path: string, text: string): Violation[] {
  if (!isNeutral(path) || isWritten(text)) return [];
  const found: Violation[] = [];
  let example = false;
  text.split("\n").forEach((line, i) => {
    const add = (rule: string) => found.push({ path, line: i + 1, rule });
    if (/^\s*\* @/.test(line)) example = /^\s*\* @example\b/.test(line);
    else if (/\*\/\s*$/.test(line)) example = false;
    if (!example && !isCommand(line)) {
      const words = withoutModules(line);
      for (const [pattern, what] of WORDS) {
        const word = pattern.exec(words)?.[0];
        if (word !== undefined) {
          add(
            `${word} is ${what} of one architecture; it belongs into engine/arch`,
          );
        }
      }
    }
    const code = withoutTexts(withoutComment(line));
    const page = PAGE_SIZE.exec(code)?.[0];
    if (page !== undefined && !NAMED_LIMIT.test(code)) {
      add(
        `${page}: a page is as large as the guest's kernel says (kernel.pageSize); a limit has a name`,
      );
    }
  });
  return found;
}

/**
 * The rule that an import breaks, if any: an architecture's folder is known to
 * the lists in engine/arch alone.
 */
export function brokenByArchImport(
  from: string,
  to: string,
): string | undefined {
  const folder = (path: string) => /^engine\/arch\/[^/]+\//.exec(path)?.[0];
  const own = folder(to);
  if (own === undefined || own === folder(from) || isForTests(from)) {
    return undefined;
  }
  if (/^engine\/arch\/[^/]+$/.test(from)) return undefined;
  return `${own} is known to the lists in engine/arch alone; ask the kernel's arch`;
}

/** Whether a program wrote the file, out of kernels. */
function isWritten(text: string): boolean {
  const comment = /^\/\*\*[^]*?\*\//.exec(text)?.[0] ?? "";
  return comment.includes("Written by generate.ts");
}

/** Whether a line of a help text shows a command as it is typed. */
function isCommand(line: string): boolean {
  return /^\s*xftrace [a-z]/.test(line);
}

/** A line without the modules that it imports. */
function withoutModules(line: string): string {
  return line.replace(/\b(from|import\(?)\s*"[^"]*"/g, "$1");
}

/** A line of code without what stands in its texts. */
function withoutTexts(code: string): string {
  return code.replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '""');
}
