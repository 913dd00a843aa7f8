/**
 * What checks read: the kernel, its code at one moment, and what the user
 * expects or trusts. A new context is made for each reading.
 *
 * @module
 */
import type { RegisterReading } from "../../arch/registers.ts";
import { KernelError, MemoryError, XftraceError } from "../../base/errors.ts";
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

/** The tracing state that is expected, for example because a plan set it. */
export interface ExpectedTracing {
  /** `tracing_on` of the top-level instance. */
  readonly tracingOn?: boolean;
  /** `current_tracer`. */
  readonly tracer?: string;
  /** The contents of the guest's tracefs files, by name. */
  readonly told?: TracefsTexts;
}

/** What the user states about the guest. */
export interface CheckOptions {
  /** Modules that may hook the kernel although it does not vouch for them. */
  readonly trustModules?: readonly string[];
  readonly tracing?: ExpectedTracing;
  /** A trusted image to compare the kernel's text with. */
  readonly vmlinux?: Vmlinux;
  /**
   * Files of modules by name, as the guest should have loaded them; several
   * when there are several builds. A module whose text matches such a file may
   * hook the kernel even if the kernel does not vouch for it.
   */
  readonly moduleFiles?: (name: string) => readonly Relocatable[];
  /**
   * Folders that are said to have the file of each module that the guest may
   * load: a module without one there is unjudged. Default: none.
   */
  readonly moduleFolders?: readonly string[];
  /**
   * Recorded function calls for XF021 and XF022, from a sealed recording of the
   * same boot; default: those in the guest's top-level buffer.
   */
  readonly recorded?: RecordedFlow;
  /** Texts that earlier checks of this VM recorded; default: none. */
  readonly textRecords?: TextRecords;
  /** The call flow of a kernel known to be good. */
  readonly baseline?: Baseline;
  /**
   * Whether each check was asked for by its id: one that cannot be run is then
   * unjudged.
   */
  readonly asked?: boolean;
  /**
   * Asks for the registers of the guest's processors, as
   * {@linkcode Session.registers} does; default: they are not known. It is
   * asked once before the first reading, and again before those that confirm
   * what registers showed.
   */
  readonly registers?: () => RegisterReading | Promise<RegisterReading>;
  /**
   * Tells, when all has been read, what of the guest's RAM could not be, as
   * {@linkcode Session.unreadRam} does; default: all could.
   */
  readonly unreadRam?: () => string | undefined;
  /** Whether the root must be verified for the verdict to be clean. */
  readonly requireRoot?: boolean;
}

/** The kernel during one reading. */
export class CheckContext extends CodeReading {
  readonly options: CheckOptions;
  /** The registers of the processors, if anybody tells them. */
  readonly reading: RegisterReading | undefined;
  readonly #trusted: ReadonlySet<string>;
  #recorded?: RecordedFlow;
  #tracedPids?: ReadonlyMap<number, number>;
  readonly #genuine = new Map<bigint, boolean>();

  /** @throws {KernelError | MemoryError} like {@linkcode CodeReading}. */
  constructor(
    kernel: Kernel,
    options: CheckOptions,
    reading?: RegisterReading,
  ) {
    super(kernel);
    this.options = options;
    this.reading = reading;
    this.#trusted = new Set(options.trustModules ?? []);
  }

  /** Pids in the top-level trace buffer, with the number of events of each. */
  get tracedPids(): ReadonlyMap<number, number> {
    return this.#tracedPids ??= tracedPids(this.kernel);
  }

  /**
   * The recorded function calls: from the sealed recording, or from the
   * top-level buffer.
   */
  get recorded(): RecordedFlow {
    return this.#recorded ??= this.options.recorded ??
      recordedFlow(this.kernel);
  }

  /**
   * Whether a module may hook the kernel: the kernel vouches for it, the user
   * trusts it by name, or its text matches a file that the user gave.
   */
  trusts(module: ModuleView): boolean {
    return module.vouched || this.trustsName(module) || this.isGenuine(module);
  }

  /** Whether the user trusts a module by its name alone. */
  trustsName({ name }: ModuleView): boolean {
    return this.#trusted.has(name);
  }

  /**
   * The option that makes an untrusted module trusted, if it is meant to be
   * there.
   */
  howToTrust({ name }: ModuleView): string {
    let files: readonly Relocatable[] = [];
    try {
      files = this.filesOf(name);
    } catch (error) {
      // XF024 says so.
      if (!(error instanceof KernelError)) throw error;
    }
    const not = files.length === 0
      ? ""
      : `its text is not that of ${
        files.map(({ source }) => source).join(", ")
      }; `;
    return `${not}if it is meant to be there, give the file that was loaded: --modules ${name}.ko; or trust the name alone: --trust-module ${name}`;
  }

  /**
   * The files that the user gave for a module.
   *
   * @throws {KernelError} when none of them can be read: that is no reason not
   * to judge the rest of the kernel.
   */
  filesOf(name: string): readonly Relocatable[] {
    try {
      return this.options.moduleFiles?.(name) ?? [];
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      throw new KernelError(error.message, { cause: error });
    }
  }

  /** Also forgets whether the module's text matches a file. */
  override forget(module: ModuleView): void {
    super.forget(module);
    this.#genuine.delete(module.gva);
  }

  /** Whether a module's text matches a file that the user gave. */
  isGenuine(module: ModuleView): boolean {
    let genuine = this.#genuine.get(module.gva);
    if (genuine === undefined) {
      // Judging its text only asks whose code its branches lead to, so this
      // entry cannot affect the result.
      genuine = this.#isFile(module);
      this.#genuine.set(module.gva, genuine);
    }
    return genuine;
  }

  #isFile(module: ModuleView): boolean {
    let files: readonly Relocatable[];
    try {
      files = this.filesOf(module.name);
    } catch (error) {
      if (error instanceof KernelError) return false;
      throw error;
    }
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

/** A report that discards everything. */
const SILENT: Report = {
  finding: () => {},
  unjudged: () => {},
  passing: () => {},
  gone: () => {},
  known: () => {},
  notRun: () => {},
  judged: () => {},
  part: (_, body) => body(),
};
