/**
 * XF016: executable memory.
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { hex, hexDigits } from "../../base/hex.ts";
import { dataInText } from "../../kernel/patching/module_tables.ts";
import { eachModule } from "../core/module_parts.ts";
import { givenBack } from "../core/given_back.ts";
import { type Unprotected, unprotected } from "../core/memory_protection.ts";
import { bootCode, ownedCode, subtract, unowned } from "../core/owned_code.ts";
import type { Report } from "../finding.ts";
import type { Check } from "../core/check.ts";
import type { CheckContext } from "../core/context.ts";
import type { GvaRange } from "../../memory/gva_ranges.ts";

/**
 * Checks for executable memory that none of the kernel's lists accounts for.
 */
export const unownedCode: Check = {
  id: "XF016",
  title: "executable memory",
  technique: "T1620",
  help:
    "Every executable page of the kernel's address space belongs to the image, to a module, to BPF, to Ftrace, to kprobes or to the boot of other processors, by the kernel's books; none of it is writable at the same time. (A kernel that was booted with rodata=off is told as that.) Pages that hold breakpoints alone are the kernel's reserve for modules.",
  run(context, report) {
    const { kernel, code } = context;
    if (code.pages.unread > 0) {
      report.unjudged(
        "executable memory",
        `${code.pages.unread} page tables could not be read, or are mapped a second time`,
      );
    }
    if (code.unread.length > 0) {
      report.unjudged(
        "executable memory outside of the image and of modules",
        code.whyUnread,
      );
    }
    // What these lists claim is the guest's word: who is asked to believe it can
    // read it.
    for (const { kind, name, start, end } of code.generated) {
      report.known(
        `generated code (${kind}): ${name} at ${hex(start)}, ${
          end - start
        } bytes`,
      );
    }
    const live = kernel.types.enumerator("MODULE_STATE_LIVE");
    for (const { name, state, hasInit } of code.modules) {
      if (state !== live || !hasInit) continue;
      report.passing(
        `module ${name}`,
        "it is live, and says that it still has init code",
      );
    }
    eachModule(context, report, "text of module", (module, report) => {
      const data = dataInText(kernel, module);
      if (data === undefined) return;
      report.finding({
        severity: "critical",
        where: `text of module ${module.name}`,
        address: data.address,
        module: module.name,
        expected: "sections of code",
        found: data.name,
        summary:
          `module ${module.name} has its data (${data.name}) in what it calls its text`,
      });
    });
    const open = unprotected(kernel, code.pages.executable);
    if (open !== undefined) tellUnprotected(report, open);
    const kept = writableTrampolines(context);
    if (kept.length > 0) {
      report.known(
        `this kernel keeps BPF trampolines writable (${kept.length} pages)`,
      );
    }
    const explained = open === undefined ? kept : [
      open.image,
      ...code.modules.flatMap((module) => code.textOf(module)),
      ...kept,
    ];
    for (const range of code.pages.executable) {
      kernel.space.budget.node(range.start);
      report.judged(Number(range.end - range.start) / kernel.pageSize);
      if (
        range.writable && !isBootCode(kernel, range.start) &&
        subtract(range, explained).length > 0
      ) {
        report.finding({
          severity: "high",
          where: hex(range.start),
          address: range.start,
          expected: "not writable",
          found: "writable and executable",
          summary: `${range.end - range.start} bytes at ${
            code.nameOf(range.start)
          } can be written and executed`,
        });
      }
    }
    const isGivenBack = givenBack(context);
    for (const { start, end } of unowned(context, ownedCode(context))) {
      const module = code.moduleAt(start);
      const first = firstCode(kernel, start, end);
      const found = {
        severity: "critical" as const,
        where: hex(start),
        address: start,
        found: hexDigits(first, " "),
        summary: `${end - start} bytes of executable memory at ${
          hex(start)
        } belong to ${
          module === undefined
            ? "nobody"
            : code.modules.includes(module)
            ? `module ${module.name}, which has no text there`
            : `module ${module.name}, which the module list does not show`
        }`,
        ...(module === undefined ? {} : { module: module.name }),
      };
      if (isGivenBack(start)) report.gone(found);
      else report.finding(found);
    }
  },
};

/**
 * The pages of BPF trampolines, in kernels that leave them writable, all of them
 * (bpf_jit_alloc_exec_page, kernel/bpf/trampoline.c). Seen on 5.10. 6.1 and later
 * kernels were seen to protect them, and have program packs (57631054fae6, 5.18).
 */
function writableTrampolines({ kernel, code }: CheckContext): GvaRange[] {
  // Each is a witness of packs: no missing name alone excuses a page.
  const packs = ["pack_list", "bpf_prog_pack_alloc", "bpf_prog_pack_free"];
  if (packs.some((name) => kernel.symbols.tryAddress(name) !== undefined)) {
    return [];
  }
  const pages = code.reserves.filter(({ kind, name }) =>
    kind === "bpf" && /^bpf_(trampoline|dispatcher)_/.test(name)
  );
  const writable = code.pages.executable.filter((range) => range.writable);
  const all = pages.every((page) => subtract(page, writable).length === 0);
  return all ? pages : [];
}

/** Tells as one what is so of all memory that holds code. */
function tellUnprotected(report: Report, { word, asked }: Unprotected): void {
  report.finding({
    severity: asked ? "high" : "critical",
    where: "rodata_enabled",
    address: word,
    expected: "1",
    found: "0",
    summary: asked
      ? "the kernel does not protect its memory, as it was booted with rodata=off: all of its image can be written and executed"
      : "the kernel does not protect its memory, although it was not booted with rodata=off: all of its image can be written and executed",
  });
}

/** How many bytes of code are shown. */
const SHOWN = 16;
/** In how many pages code is looked for that follows padding. */
const MOST_PAGES = 16;

/**
 * The first bytes of a range's code, from the first instruction that is no
 * padding; where there is nothing else, the padding.
 */
function firstCode(kernel: Kernel, start: bigint, end: bigint): Uint8Array {
  const { instructions } = kernel.arch;
  let first: Uint8Array | undefined;
  let at = 0;
  for (let gva = start, i = 0; gva < end && i < MOST_PAGES; i++) {
    const page = pageAt(kernel, gva);
    if (page === undefined) break;
    first ??= page;
    while (at < page.length) {
      const bytes = page.subarray(at, at + SHOWN);
      const length = instructions.fillerAt(bytes);
      if (length === 0) return bytes.slice();
      at += length;
    }
    // A no-op may reach into the next page.
    at -= page.length;
    gva += BigInt(page.length);
  }
  return first?.slice(0, SHOWN) ?? new Uint8Array();
}

/** The page at a GVA; `undefined` when it was freed meanwhile. */
function pageAt(kernel: Kernel, start: bigint): Uint8Array | undefined {
  try {
    return kernel.space.bytes(start, kernel.pageSize);
  } catch (error) {
    const gone = error instanceof MemoryError &&
      kernel.space.tryTranslate(start) === undefined;
    if (gone) return undefined;
    throw error;
  }
}

function isBootCode(kernel: Kernel, gva: bigint): boolean {
  const boot = bootCode(kernel);
  return boot !== undefined && gva >= boot.start && gva < boot.end;
}
