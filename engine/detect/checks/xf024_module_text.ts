/**
 * XF024: module text.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { loadNumber } from "../../kernel/objects/module_load.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import type { CheckContext } from "../core/context.ts";
import { eachModule, isCurrent } from "../core/module_parts.ts";
import { compareText } from "../text/compare_text.ts";
import { withoutProbes } from "../text/live_sites.ts";
import { moduleText } from "../text/module_text.ts";
import type { Relocatable } from "../text/relocatable.ts";
import { compareModuleText } from "../text/recorded_text.ts";
import type { Report } from "../finding.ts";
import type { Check } from "../core/check.ts";

/**
 * Compares the text of modules with their files, or with its own earlier state.
 */
export const moduleTextIntegrity: Check = {
  id: "XF024",
  title: "module text",
  technique: "T1601.001",
  help:
    "With --modules: every byte of a module's text is its file's, laid out and relocated as the loader does, but for the places where the file's tables say that the kernel patches it; a module of which a folder that was given has no file is unjudged. Without its file: every byte is what the first check since the module was loaded recorded.",
  run(context, report) {
    const { kernel, code, options } = context;
    const live = kernel.types.enumerator("MODULE_STATE_LIVE");
    const modules = code.modules.filter(({ state }) => state === live);
    let recorded = 0;
    let unknown = 0;
    eachModule(context, report, "text of module", (module, report) => {
      if (byFile(context, report, module)) return;
      withoutFile(context, report, module);
      const number = loadNumber(kernel, module.gva);
      if (options.textRecords === undefined || number === undefined) {
        unknown++;
        return;
      }
      // A record outlives this reading: it must be of that load's text.
      context.forget(module);
      const text = context.moduleText(module);
      const is = isCurrent(kernel, module) &&
        loadNumber(kernel, module.gva) === number;
      if (!is) {
        throw new KernelError("it was loaded again while it was being read");
      }
      const name = `${module.name}-${number.toString(16)}`;
      const what = `text of module ${module.name}`;
      const result = compareModuleText(
        context,
        report,
        options.textRecords,
        name,
        { what, ...text, module },
      );
      if (result === "recorded") recorded++;
    });
    const missing = recorded + unknown;
    if (missing === 0) return;
    const which = missing === modules.length
      ? "no files of modules were given (--modules)"
      : `no file was given of ${missing} of ${modules.length} modules (--modules)`;
    report.notRun(
      recorded === 0
        ? which
        : `${which}; their text is recorded now, and later checks compare with that`,
    );
  },
};

/**
 * Tells on whose word a module may hook the kernel: a file that an intruder gave,
 * or that was taken from the guest's disk, vouches for the intruder's module.
 */
function vouched(
  report: Report,
  { name, taints }: ModuleView,
  { source, mayDiffer = false }: Relocatable,
): void {
  const not = `not by the kernel (${taints.join(", ") || "not signed"})`;
  if (mayDiffer) {
    report.known(`module ${name} was built on this host: ${source}`);
  } else {
    report.known(
      `module ${name} is vouched for by the file you gave, ${source}, and ${not}`,
      { always: true },
    );
  }
}

/**
 * Whoever gives a folder says that it has the files of all modules. One that it
 * lacks is not what anybody has built for this kernel, whatever its flags say:
 * they are words of the guest's.
 */
function withoutFile(
  context: CheckContext,
  report: Report,
  module: ModuleView,
): void {
  const { moduleFolders = [] } = context.options;
  if (moduleFolders.length === 0) return;
  const none = `${
    moduleFolders.join(", ")
  } has no file of module ${module.name}`;
  if (context.trustsName(module)) {
    report.known(`${none}, which is trusted by its name`);
    return;
  }
  report.unjudged(
    `module ${module.name}`,
    module.vouched
      ? `${none}: that its signature was checked is said by its own flags alone; give its file (--modules FILE.ko)`
      : `${none}, for which the kernel does not vouch either (${
        module.taints.join(", ") || "not signed"
      }); give its file (--modules FILE.ko)`,
  );
}

/** Compares with the module's file; `false` when there is no file for it. */
function byFile(
  context: CheckContext,
  report: Report,
  module: ModuleView,
): boolean {
  const files = context.filesOf(module.name);
  let refusal: KernelError | undefined;
  const { start, bytes } = context.moduleText(module);
  for (const file of files) {
    try {
      const text = moduleText(context, module, file, bytes);
      const own = withoutProbes(context, bytes, start);
      report.judged(1); // It may have no code at all.
      const differences = compareText(context, report, {
        what: `text of module ${module.name}`,
        with: file.source,
        start,
        trusted: text.bytes,
        own,
        sites: text.sites,
        module: module.name,
      });
      if (differences === 0 && !module.vouched) vouched(report, module, file);
      return true;
    } catch (error) {
      // The file is from another build; the next one may match.
      if (!(error instanceof KernelError)) throw error;
      refusal ??= error;
    }
  }
  const sure = files.some(({ mayDiffer }) => mayDiffer !== true);
  if (refusal !== undefined && sure) throw refusal;
  return false;
}
