/**
 * What checks read: the kernel, its code at one time, and what the user
 * expects or trusts. A new one is made for each reading.
 *
 * @module
 */
import type { Kernel } from "../kernel/kernel.ts";
import { type CallSites, callSites } from "../kernel/ftrace_ops.ts";
import { type Kprobe, kprobes } from "../kernel/kprobes.ts";
import { type ImageBytes, readImage } from "../kernel/text_image.ts";
import type { ModuleView } from "../kernel/module_views.ts";
import type { Baseline } from "./baseline.ts";
import { type RecordedFlow, recordedFlow } from "./call_flow.ts";
import { CodeMap } from "./code_map.ts";
import type { Vmlinux } from "./vmlinux.ts";

/** What the plan asked Ftrace for. */
export interface ExpectedTracing {
  /** `tracing_on` of the top-level instance. */
  readonly tracingOn?: boolean;
  /** `current_tracer`. */
  readonly tracer?: string;
}

/** What the user says about the guest. */
export interface CheckOptions {
  /** Modules that may hook the kernel though it does not vouch for them. */
  readonly trustModules?: readonly string[];
  readonly tracing?: ExpectedTracing;
  /** A trusted image to compare the kernel's text with. */
  readonly vmlinux?: Vmlinux;
  /** The call flow of a kernel that is known to be good. */
  readonly baseline?: Baseline;
}

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

  /** @throws {KernelError | MemoryError} as {@linkcode CodeMap}. */
  constructor(kernel: Kernel, options: CheckOptions) {
    this.kernel = kernel;
    this.options = options;
    this.code = new CodeMap(kernel);
    this.#trusted = new Set(options.trustModules ?? []);
  }

  /** The image's text, `_stext` to `_etext`. */
  get text(): ImageBytes {
    return this.#text ??= readImage(this.kernel, "_stext", "_etext");
  }

  /** All of Ftrace's call sites. */
  get sites(): CallSites {
    return this.#sites ??= callSites(this.kernel);
  }

  /** All kprobes. */
  get kprobes(): readonly Kprobe[] {
    return this.#kprobes ??= kprobes(this.kernel);
  }

  /** What the top-level trace buffer holds of functions. */
  get recorded(): RecordedFlow {
    return this.#recorded ??= recordedFlow(this.kernel);
  }

  /** Whether a module may hook the kernel: vouched for, or trusted by name. */
  trusts(module: ModuleView): boolean {
    return module.vouched || this.#trusted.has(module.name);
  }
}
