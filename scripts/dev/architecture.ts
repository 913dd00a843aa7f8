/**
 * The rule that whatever is specific to one architecture is in
 * engine/arch/NAME/. Pure.
 *
 * Code and comments of the library and of the commands (engine except
 * engine/arch, ffi, dsl, mod.ts, live.ts, scripts/cli, scripts/collector) name
 * no architecture, no page size and no part of a processor. Allowed are:
 *
 * - a command as it is typed (`xftrace functions '__x64_sys_*'`) in a help
 *   text, and the `@example` of a doc comment, which runs on a recorded guest;
 * - files that were generated from kernels ("Written by generate.ts");
 * - names that contain an architecture's name (`cpuinfo_x86`, releases such as
 *   `6.11.4-301.fc41.x86_64`).
 *
 * The lab, the guest's module, tests, benches and developer tools deal with
 * particular guests, and may name their architecture.
 *
 * @module
 */
import { isCode, isForTests, type Violation, withoutComment } from "./rules.ts";

/** Words that are specific to x86-64, and what they name. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/__(?:x64|ia32)_\w*|\bia32_\w+/, "a system call's function"],
  [
    /\b(?:x64_sys_call|x32_sys_call|do_syscall_64|entry_SYSCALL\w*|do_int80\w*)/,
    "entry code",
  ],
  [/\bendbr\w*|\w*fentry\w*|\bint3\b|\bNOP5\b/i, "an instruction"],
  [
    /\b0x(?:0f, ?0x(?:1f|0b)|f3, ?0x0f|66, ?0x90)\b/i,
    "an instruction",
  ],
  [
    /(?<![.\w])(?:x86(?:[-_]64)?|x64|i[3-6]86)(?!\w)|\bR_X86\w*/i,
    "an architecture",
  ],
  [
    /(?<![$\w])(?:cr3|rdi|rsi|rip|idtr|MSR_[A-Z]\w*)(?!\w)/i,
    "a register",
  ],
  [
    /\b0x(?!(?:f_?){16}n?\b)f_?f_?f_?f_?(?:[0-9a-f]_?){12}n?\b|\b0xffff_?8[08]00\b|-0x8000_?0000n?\b/i,
    "an address",
  ],
];

/**
 * A size or mask of 4 KiB pages, or a shift by 12 bits; but `1 << 12` is a
 * flag.
 */
const PAGE_SIZE =
  /\b(?:4096|4095|0x1000|0xfff|4n? (?:\* 1024|<< 10)|2n? \*\* 12)n?\b|(?<!\b1n? )(?:<<|>>>?) ?12n?\b/i;
/** A separator between the digits of a number. */
const SEPARATOR = /(?<=\b\d[\da-fx_]*)_(?=[\da-f])/gi;
/** A named limit that happens to be the same number. */
const NAMED_LIMIT =
  /^(?:export )?const (?!\w*PAGE)[A-Z][A-Z0-9_]* = 409[56]n?;$/;

/** Whether a file must not depend on an architecture. */
export function isNeutral(path: string): boolean {
  return isCode(path) && !isForTests(path) &&
    /^(?:(?:engine|ffi|dsl|scripts\/cli|scripts\/collector)\/|(?:mod|live)\.ts$)/
      .test(path) &&
    !path.startsWith("engine/arch/");
}

/** The places at which a file breaks the rule. */
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
    const page = PAGE_SIZE.exec(code.replace(SEPARATOR, ""))?.[0];
    if (page !== undefined && !NAMED_LIMIT.test(code)) {
      add(
        `${page}: a page is as large as the guest's kernel says (kernel.pageSize); a limit has a name`,
      );
    }
  });
  return found;
}

/**
 * The rule that an import breaks, if any: only the lists in engine/arch import
 * from an architecture's folder.
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

/** Whether the file was generated from kernels. */
function isWritten(text: string): boolean {
  const comment = /^\/\*\*[^]*?\*\//.exec(text)?.[0] ?? "";
  return comment.includes("Written by generate.ts");
}

/** Whether the line is a command in a help text. */
function isCommand(line: string): boolean {
  return /^\s*xftrace [a-z]/.test(line);
}

/** The line without the names of imported modules. */
function withoutModules(line: string): string {
  return line.replace(/\b(from|import\(?)\s*"[^"]*"/g, "$1");
}

/** The line with its string literals emptied, but for what they compute. */
function withoutTexts(code: string): string {
  return code.replace(
    /"[^"]*"|'[^']*'|`[^`]*`/g,
    (text) =>
      text.startsWith("`") ? (text.match(/\$\{[^}]*\}/g) ?? []).join() : '""',
  );
}
