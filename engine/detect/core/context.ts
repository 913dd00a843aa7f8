/**
 * What checks read: the kernel, its code at one time, and what the user
 * expects or trusts. A new one is made for each reading.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { type CallSites, callSites } from "../../kernel/patching/ftrace_ops.ts";
import { type Kprobe, kprobes } from "../../kernel/patching/kprobes.ts";
import {
  type ImageBytes,
  readImage,
} from "../../kernel/patching/text_image.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import type { Baseline } from "../flow/baseline.ts";
import {
  type RecordedFlow,
  recordedFlow,
  tracedPids,
} from "../flow/call_flow.ts";
import { CodeMap } from "./code_map.ts";
import { moduleText } from "../text/module_text.ts";
import type { Relocatable } from "../text/relocatable.ts";
import { compareText } from "../text/compare_text.ts";
import { withoutProbes } from "../text/live_sites.ts";
import type { TracefsTexts } from "./told_state.ts";
import type { TextRecords } from "../text/text_record.ts";
import type { Report } from "./types.ts";
import type { Vmlinux } from "../text/vmlinux.ts";

/** What the plan asked Ftrace for. */
export interface ExpectedTracing {
  /** `tracing_on` of the top-level instance. */
  readonly tracingOn?: boolean;
  /** `current_tracer`. */
  readonly tracer?: string;
  /** What the guest's files of tracefs say, by name. */
  readonly told?: TracefsTexts;
}

/** What the user says about the guest. */
export interface CheckOptions {
  /** Modules that may hook the kernel though it does not vouch for them. */
  readonly trustModules?: readonly string[];
  readonly tracing?: ExpectedTracing;
  /** A trusted image to compare the kernel's text with. */
  readonly vmlinux?: Vmlinux;
  /**
   * Files of modules by name, as the guest should have loaded them; several
   * when there are several builds. A module whose text is such a file's may
   * hook the kernel though the kernel does not vouch for it.
   */
  readonly moduleFiles?: (name: string) => readonly Relocatable[];
  /**
   * What was recorded of functions, for XF021 and XF022, in place of the
   * guest's top-level buffer: a sealed recording of the same boot.
   */
  readonly recorded?: RecordedFlow;
  /** What earlier checks of this boot recorded of text; default: nothing. */
  readonly textRecords?: TextRecords;
  /** The call flow of a kernel that is known to be good. */
  readonly baseline?: Baseline;
}

const PAGE = 4096;

/** The kernel at one reading. */
export class CheckContext {
  readonly kernel: Kernel;
  readonly options: CheckOptions;
  readonly code: CodeMap;
  readonly #trusted: ReadonlySet<string>;
  #text?: ImageBytes;
  #sites?: CallSites;
  #kprobes?: Kprobe[];
  #recorded?: RecordedFlow;
  #tracedPids?: ReadonlyMap<number, number>;
  readonly #moduleTexts = new Map<bigint, ImageBytes>();
  readonly #genuine = new Map<bigint, boolean>();

  /** @throws {KernelError | MemoryError} as {@linkcode CodeMap}. */
  constructor(kernel: Kernel, options: CheckOptions) {
    this.kernel = kernel;
    this.options = options;
    this.code = new CodeMap(kernel);
    this.#trusted = new Set(options.trustModules ?? []);
  }

  /**
   * The image's text, `_stext` to `_etext`.
   *
   * @throws {KernelError} when a page of it, in which a function begins,
   * holds nothing but zeros: a recording's, that was lost.
   */
  get text(): ImageBytes {
    return this.#text ??= this.#readText();
  }

  #readText(): ImageBytes {
    const text = readImage(this.kernel, "_stext", "_etext");
    const words = new Uint32Array(
      text.bytes.buffer,
      0,
      Math.floor(text.bytes.length / 4),
    );
    for (let page = 0; page < words.length; page += PAGE / 4) {
      if (words[page] !== 0 || words[page + 1] !== 0) continue;
      const part = words.subarray(page, page + PAGE / 4);
      if (!part.every((word) => word === 0)) continue;
      const at = text.start + BigInt(4 * page);
      const last = this.kernel.symbols.lookup(at + BigInt(PAGE - 1));
      if (last === undefined || last.address < at) continue;
      throw new KernelError(
        `the page of kernel text at 0x${
          at.toString(16)
        } holds zeros alone, though ${last.name} begins there`,
      );
    }
    return text;
  }

  /** All of Ftrace's call sites. */
  get sites(): CallSites {
    return this.#sites ??= callSites(this.kernel);
  }

  /** All kprobes. */
  get kprobes(): readonly Kprobe[] {
    return this.#kprobes ??= kprobes(this.kernel);
  }

  /** Pids in the top-level trace buffer, with how many events of each. */
  get tracedPids(): ReadonlyMap<number, number> {
    return this.#tracedPids ??= tracedPids(this.kernel);
  }

  /** What a sealed recording, or the top-level buffer, holds of functions. */
  get recorded(): RecordedFlow {
    return this.#recorded ??= this.options.recorded ??
      recordedFlow(this.kernel);
  }

  /** A module's text that stays, without its init code. */
  moduleText(module: ModuleView): ImageBytes {
    let text = this.#moduleTexts.get(module.gva);
    if (text === undefined) {
      const { start, end } = module.text[0] ?? { start: 0n, end: 0n };
      const bytes = this.kernel.space.bytes(start, Number(end - start));
      this.#moduleTexts.set(module.gva, text = { start, end, bytes });
    }
    return text;
  }

  /**
   * Whether a module may hook the kernel: vouched for, trusted by name, or
   * with the text of a file that the user gave.
   */
  trusts(module: ModuleView): boolean {
    return module.vouched || this.#trusted.has(module.name) ||
      this.isGenuine(module);
  }

  /** What to pass when a module that is not trusted is meant to be there. */
  howToTrust({ name }: ModuleView): string {
    const files = this.options.moduleFiles?.(name) ?? [];
    const not = files.length === 0
      ? ""
      : `its text is not that of ${
        files.map(({ source }) => source).join(", ")
      }; `;
    return `${not}if it is meant to be there, give the file that was loaded: --modules ${name}.ko; or trust the name alone: --trust-module ${name}`;
  }

  /** Whether a module's text is that of a file that the user gave. */
  isGenuine(module: ModuleView): boolean {
    let genuine = this.#genuine.get(module.gva);
    if (genuine === undefined) {
      // Judging its text asks whose code its branches lead to, no more.
      genuine = this.#isFile(module);
      this.#genuine.set(module.gva, genuine);
    }
    return genuine;
  }

  #isFile(module: ModuleView): boolean {
    const files = this.options.moduleFiles?.(module.name) ?? [];
    if (files.length === 0 || module.text.length === 0) return false;
    const { start, bytes } = this.moduleText(module);
    return files.some((file) => {
      try {
        const { bytes: trusted, sites } = moduleText(this, module, file, bytes);
        const own = withoutProbes(this, bytes, start);
        return compareText(this, SILENT, {
          what: module.name,
          with: file.source,
          start,
          trusted,
          own,
          sites,
        }) === 0;
      } catch (error) {
        if (error instanceof KernelError || error instanceof MemoryError) {
          return false;
        }
        throw error;
      }
    });
  }
}

/** Takes what is said and says nothing. */
const SILENT: Report = {
  finding: () => {},
  unjudged: () => {},
  known: () => {},
  notRun: () => {},
  judged: () => {},
  part: (_, body) => body(),
};
