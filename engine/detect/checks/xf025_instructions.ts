/**
 * XF025: instructions of kernel text.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { type TextFault, walkText } from "../../kernel/patching/text_walk.ts";
import type { CheckContext } from "../core/context.ts";
import { hexDigits } from "../../base/hex.ts";
import { withoutProbes } from "../text/live_sites.ts";
import { isAsRead } from "../text/second_look.ts";
import type { Report } from "../finding.ts";
import type { Check } from "../core/check.ts";

/**
 * If more pages than this have faults, the symbols and the text belong to
 * different kernels, or a recording lacks the pages: nobody replaces text like
 * that.
 */
const MOST_PAGES = 64;

/**
 * Checks that kernel text consists of instructions, from the start of each
 * function to its end.
 */
export const textInstructions: Check = {
  id: "XF025",
  title: "instructions of kernel text",
  technique: "T1601.001",
  help:
    "Every function of the kernel's text is instructions from its start to its end, every direct branch leads to the start of an instruction, every direct call to the start of a function. Sees text that was overwritten with other bytes, anywhere, without a trusted image; what was overwritten with whole instructions needs XF020. (Modules' text is XF024.)",
  run(context, report) {
    const { kernel, text, code } = context;
    const bytes = withoutProbes(context, text.bytes, text.start);
    const { instructions, faults } = walkText(
      kernel.arch.instructions,
      kernel.symbols,
      { ...text, bytes },
      (gva) => code.at(gva).kind !== "foreign",
    );
    report.judged(instructions);
    const pages = Map.groupBy(
      faults,
      ({ at }) => Math.floor(at / kernel.pageSize),
    );
    if (pages.size > MOST_PAGES) {
      throw new KernelError(
        `${pages.size} pages of kernel text do not fit the kernel's symbols: one or the other is damaged`,
      );
    }
    for (const page of pages.values()) finding(context, report, bytes, page);
  },
};

/** One finding per page, since bytes that are not code have many faults. */
function finding(
  { kernel, text, code }: CheckContext,
  report: Report,
  bytes: Uint8Array,
  faults: readonly TextFault[],
): void {
  const first = faults.reduce((a, b) => b.at < a.at ? b : a);
  const address = text.start + BigInt(first.at);
  const { name } = code.at(address);
  const more = faults.length - 1;
  const isStill = ({ at, target }: TextFault) =>
    isAsRead(kernel, text, at) &&
    (target === undefined || target < text.start || target >= text.end ||
      isAsRead(kernel, text, Number(target - text.start)));
  report.finding({
    severity: "critical",
    where: name,
    address,
    expected: "instructions of one function after the other",
    found: hexDigits(bytes.subarray(first.at, first.at + 8), " "),
    summary: `${name} ${says(first, code.at(first.target ?? 0n).name)}` +
      (more === 0 ? "" : `, and ${more} more in this page`) +
      ": this text was overwritten",
    ...(first.target === undefined ? {} : { target: first.target }),
    ...(faults.some(isStill) ? {} : { brief: true }),
  });
}

function says({ kind }: TextFault, target: string): string {
  switch (kind) {
    case "none":
      return "is no instruction";
    case "runs over":
      return "runs over the end of its function";
    case "amid instruction":
      return `leads into the midst of an instruction, ${target}`;
    case "amid function":
      return `calls the midst of a function, ${target}`;
    case "nowhere":
      return `leads to ${target}, where there is no code`;
  }
}
