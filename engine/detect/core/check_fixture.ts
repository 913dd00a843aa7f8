/**
 * Runs checks on small guests, for tests: what they read is the guest's, and
 * whose code lies where the test says.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { RegisterReading } from "../../arch/registers.ts";
import { hex } from "../../base/hex.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { callSites } from "../../kernel/patching/ftrace_ops.ts";
import { kprobes } from "../../kernel/patching/kprobes.ts";
import { readImage } from "../../kernel/patching/text_image.ts";
import type { GeneratedCode } from "../../kernel/patching/generated_code.ts";
import type { MappedRange } from "../../memory/gva_ranges.ts";
import type { CodeAt, CodeKind } from "../reading/code_map.ts";
import type { Check } from "./check.ts";
import { CheckContext } from "./context.ts";
import type { CheckReading } from "./outcome.ts";
import { readOnce } from "./runner.ts";

/** The module that code of the kinds `module` and `hidden module` is of. */
export const HELPER: ModuleView = {
  name: "helper",
  gva: 0xffffffffc0100000n,
  state: 0,
  text: [],
  ranges: [],
  hasInit: false,
  vouched: false,
  taints: ["out of tree", "unsigned"],
};

/** What holds of the code that a check meets. */
export interface FixtureCode {
  /** Whose code lies at a GVA; default: the kernel's. */
  readonly whose?: (gva: bigint) => CodeKind;
  /** Distance of a GVA from the start of its function; default: 0. */
  readonly offset?: number;
  /** Whether {@linkcode HELPER} is trusted; default: no. */
  readonly trusted?: boolean;
  /** Whether the page tables let code be executed; default: yes. */
  readonly executable?: boolean;
  /** The modules on the list; default: none. */
  readonly modules?: readonly ModuleView[];
  /** What the page tables let the kernel execute; default: nothing. */
  readonly pages?: readonly MappedRange[];
  /** The code that the kernel says that it has generated; default: none. */
  readonly generated?: readonly GeneratedCode[];
  /** The memory that is reserved for generated code; default: none. */
  readonly reserves?: readonly GeneratedCode[];
  /** The registers of the processors; default: they are not known. */
  readonly reading?: RegisterReading;
}

/**
 * What a check says of a guest, as in one reading by the runner. It is run
 * twice and has to say the same: a check keeps nothing between runs.
 */
export function checked(
  check: Check,
  kernel: Kernel,
  code: FixtureCode = {},
): Omit<CheckReading, "ms"> {
  const [first, again] = [0, 1].map(() => {
    const context = contextOver(kernel, code);
    const { ms: _, spent: __, ...said } = readOnce(kernel, check, context);
    return said;
  });
  assert.deepEqual(again, first, `${check.id} says something else when again`);
  return first;
}

function contextOver(
  kernel: Kernel,
  { whose, offset, ...options }: FixtureCode,
): CheckContext {
  const { trusted = false, executable = true, reading } = options;
  const { modules = [], pages = [] } = options;
  return Object.create(CheckContext.prototype, {
    kernel: { value: kernel },
    reading: { value: reading },
    code: {
      value: {
        at: (gva: bigint) => codeAt(gva, whose?.(gva) ?? "kernel", offset),
        nameOf: hex,
        moduleAt: (gva: bigint) =>
          modules.find(({ ranges }) =>
            ranges.some(({ start, end }) => gva >= start && gva < end)
          ),
        modules,
        textOf: ({ text }: ModuleView) =>
          text.map(({ start, end }) => ({
            start,
            end: end + (-end & 0xfffn),
          })),
        pages: { executable: pages, inRegion: pages, unread: 0 },
        generated: options.generated ?? [],
        reserves: options.reserves ?? [],
        unread: [],
        executable: () => executable,
        whyUnread: "a book is missing",
      },
    },
    // These read the guest, as they do outside of tests.
    sites: { get: () => callSites(kernel) },
    kprobes: { get: () => kprobes(kernel) },
    text: { get: () => readImage(kernel, "_stext", "_etext") },
    trusts: { value: () => trusted },
    howToTrust: { value: () => "give its file" },
  });
}

function codeAt(address: bigint, kind: CodeKind, offset = 0): CodeAt {
  const ofModule = kind === "module" || kind === "hidden module";
  const name = offset === 0 ? "hook" : `hook+${hex(BigInt(offset))}`;
  return {
    kind,
    address,
    name: ofModule ? `${name} [helper]` : name,
    symbol: "hook",
    offset,
    module: ofModule ? HELPER : undefined,
  };
}
