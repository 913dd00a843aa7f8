/**
 * XF028: the kernel's symbols and types.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { KernelError } from "../../base/errors.ts";
import type { Kernel, KernelOrigin } from "../../kernel/core/kernel.ts";
import {
  type ExpandedKallsyms,
  expandKallsyms,
  type KallsymsTables,
  tablesDigest,
} from "../../kernel/symbols/kallsyms.ts";
import { wholeSymbols } from "../../kernel/patching/module_tables.ts";
import { nameAt } from "../../kernel/symbols/symbol_blob.ts";
import type { Check } from "../core/check.ts";
import type { CheckContext } from "../core/context.ts";
import { eachModule } from "../core/module_parts.ts";
import type { Report } from "../finding.ts";
import {
  imageSymbols,
  isAnother,
  otherSymbols,
} from "../text/image_symbols.ts";
import { otherDigest } from "../text/recorded_text.ts";
import { symbolDoubts } from "../text/symbol_doubts.ts";
import type { Vmlinux } from "../text/vmlinux.ts";

/** The most bytes of types. */
const MOST_BTF = 128 << 20;
/** The most differences that are reported one by one. */
const MOST = 20;

/**
 * Compares the names by which everything else is found with a trusted image,
 * with their own earlier state, and with each other.
 */
export const symbolTables: Check = {
  id: "XF028",
  title: "symbols and types",
  technique: "T1014",
  help:
    "All checks find the kernel's objects by its symbols (kallsyms) and types (BTF), which lie in the guest's memory. With --vmlinuz: they are those of the trusted image, whose names are used then. Always: they are what the first check of this boot recorded, and they agree with each other: the names' order, BTF's functions, the addresses in vmcoreinfo. Without an image, a clever renaming from before the first check is not seen.",
  run(context, report) {
    const { kernel, options } = context;
    const { origin } = kernel;
    if (origin === undefined) {
      throw new KernelError("where its symbols came from is not known");
    }
    const tables = origin.tables();
    const own = expandKallsyms(tables, kernel.arch.image.range);
    const btf = btfOf(kernel);
    report.judged(own.blob.count);
    const { vmlinux } = options;
    if (vmlinux !== undefined) {
      report.part("symbols", () => {
        compareWithImage(context, report, vmlinux, own, btf);
      });
    } else if (kernel.facts.describedBy === "System.map") {
      compareWithMap(kernel, report, own);
    }
    report.part("symbols", () => doubts(kernel, origin, report, own, tables));
    eachModule(context, report, "symbols of module", ({ gva }) => {
      wholeSymbols(kernel, gva);
    });
    compareWithRecord(context, report, tables, btf);
  },
};

function btfOf({ symbols, space }: Kernel): Uint8Array {
  const start = symbols.address("__start_BTF");
  const size = Number(symbols.address("__stop_BTF") - start);
  if (size < 0 || size > MOST_BTF) {
    throw new KernelError(`its BTF cannot have ${size} bytes`);
  }
  return space.bytes(start, size);
}

function compareWithImage(
  { kernel }: CheckContext,
  report: Report,
  image: Vmlinux,
  own: ExpandedKallsyms,
  btf: Uint8Array,
): void {
  if (isAnother(kernel, image)) {
    throw new KernelError(
      `${image.source} is another kernel (BUILD-ID ${image.buildId}) than the guest's (${kernel.facts.buildId})`,
    );
  }
  const trusted = imageSymbols(image);
  if (trusted === undefined) {
    throw new KernelError(`${image.source} has no symbols that are understood`);
  }
  for (const other of otherSymbols(trusted.blob, own.blob, MOST)) {
    report.finding({
      severity: "critical",
      where: `kallsyms[${other.index}]`,
      address: own.textGva + BigInt(other.offset),
      expected: other.expected,
      found: other.found,
      summary:
        `the guest's symbol table says ${other.found}, and the trusted image ${other.expected}`,
    });
  }
  const types = image.sections.find(({ name }) => name === ".BTF")?.bytes;
  if (types === undefined) return;
  const same = types.length === btf.length &&
    types.every((byte, i) => byte === btf[i]);
  if (same) return;
  report.finding({
    severity: "critical",
    where: "__start_BTF",
    address: kernel.symbols.address("__start_BTF"),
    expected: sha256(types),
    found: sha256(btf),
    summary:
      "the guest's types (BTF) are not those of the trusted image: members of its objects are not where they seem to be",
  });
}

/** A System.map holds all symbols of kallsyms, and often more. */
function compareWithMap(
  { symbols }: Kernel,
  report: Report,
  { blob, textGva }: ExpandedKallsyms,
): void {
  let others = 0;
  for (let i = blob.absolute; i < blob.count; i++) {
    const name = nameAt(blob, i);
    const at = textGva + BigInt(blob.offsets[i]);
    if (symbols.tryAddress(name) === at) continue;
    if (symbols.addresses(name).includes(at)) continue;
    if (others++ > 0) continue;
    report.unjudged(
      "symbols",
      `the guest's own symbol table has ${name} where the System.map does not: one of them is another kernel's, or has been changed`,
    );
  }
}

function doubts(
  kernel: Kernel,
  origin: KernelOrigin,
  report: Report,
  own: ExpandedKallsyms,
  tables: KallsymsTables,
): void {
  const said = {
    ...own,
    tables,
    order: origin.order(),
    btf: btfOf(kernel),
    note: kernel.facts.vmcoreinfo,
    image: kernel.arch.image.range,
  };
  for (const doubt of symbolDoubts(said)) {
    report.unjudged(
      "symbols",
      `that the guest's symbols are the kernel's own is not certain: ${doubt}`,
    );
  }
}

function compareWithRecord(
  context: CheckContext,
  report: Report,
  tables: KallsymsTables,
  btf: Uint8Array,
): void {
  const { kernel, options: { textRecords } } = context;
  if (textRecords === undefined) return;
  const parts = [
    ["symbols", tablesDigest(tables), "linux_banner"],
    ["types", sha256(btf), "__start_BTF"],
  ] as const;
  for (const [what, digest, symbol] of parts) {
    const before = otherDigest(context, report, textRecords, what, digest);
    if (before === undefined) continue;
    report.finding({
      severity: "critical",
      where: what,
      address: kernel.symbols.address(symbol),
      expected: before.digest,
      found: digest,
      summary:
        `the guest's ${what} are not what they were when it was checked first (${before.since})`,
    });
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
