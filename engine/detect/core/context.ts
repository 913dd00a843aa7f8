/**
 * What checks read: the kernel, its code at one time, and what the user
 * expects or trusts. A new one is made for each reading.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import type { Baseline } from "../flow/baseline.ts";
import {
  type RecordedFlow,
  recordedFlow,
  tracedPids,
} from "../flow/call_flow.ts";
import { CodeReading } from "../reading/code_reading.ts";
import { moduleText } from "../text/module_text.ts";
import type { Relocatable } from "../text/relocatable.ts";
import { compareText } from "../text/compare_text.ts";
import { withoutProbes } from "../text/live_sites.ts";
import type { TracefsTexts } from "./told_state.ts";
import type { TextRecords } from "../text/text_record.ts";
import type { Report } from "../finding.ts";
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

/** The kernel at one reading. */
export class CheckContext extends CodeReading {
  readonly options: CheckOptions;
  readonly #trusted: ReadonlySet<string>;
  #recorded?: RecordedFlow;
  #tracedPids?: ReadonlyMap<number, number>;
  readonly #genuine = new Map<bigint, boolean>();

  /** @throws {KernelError | MemoryError} as {@linkcode CodeReading}. */
  constructor(kernel: Kernel, options: CheckOptions) {
    super(kernel);
    this.options = options;
    this.#trusted = new Set(options.trustModules ?? []);
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
