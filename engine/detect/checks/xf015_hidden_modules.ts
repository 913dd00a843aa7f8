/**
 * XF015: hidden modules.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import {
  listedModules,
  type ModuleView,
  readModule,
  sysfsModules,
  treeModules,
} from "../../kernel/objects/module_views.ts";
import { shownSymbols } from "../../kernel/patching/module_tables.ts";
import type { Check } from "../core/check.ts";
import { waitFor } from "../core/given_back.ts";
import { partOf, passingOrGone } from "../core/module_parts.ts";
import type { Report } from "../finding.ts";

/** The kernel's own views of its modules, and how each is read. */
const VIEWS = [
  ["module list", listedModules],
  ["module tree", treeModules],
  ["/sys/module", sysfsModules],
] as const;

/** GVAs of `struct module`s, by the name of the view that shows them. */
type Views = ReadonlyMap<string, ReadonlySet<bigint>>;

/**
 * Checks for modules that appear in one of the kernel's views but not in
 * another, whatever state they are said to have.
 */
export const hiddenModules: Check = {
  id: "XF015",
  title: "hidden modules",
  technique: "T1014",
  help:
    "The module list, the tree by address, sysfs and the structs that lie in the modules' memory show the same modules. What a module's state hides (one that is not formed is not in /proc/modules) passes within a moment, and each has symbols.",
  run(context, report) {
    const { kernel, code } = context;
    const views = new Map<string, ReadonlySet<bigint>>();
    const view = (name: string, gvas: readonly bigint[] | undefined) => {
      if (gvas === undefined) report.known(`this kernel has no ${name}`);
      else views.set(name, new Set(gvas));
    };
    for (const [name, read] of VIEWS) {
      report.part(name, () => view(name, read(kernel)));
    }
    view("memory", code.unlisted.map(({ gva }) => gva));
    tellListed(report, code.modules);
    const all = new Set([...views.values()].flatMap((gvas) => [...gvas]));
    report.judged(all.size);
    const known = [...code.modules, ...code.unlisted];
    for (const { name, gva } of code.codeless) {
      if (all.has(gva)) continue;
      report.passing(
        `module ${name}`,
        `it lies in memory at ${
          hex(gva)
        }, is not in the module list, and names no code`,
      );
    }
    const wait = waitFor(context);
    for (const gva of all) {
      const what = `the module at ${hex(gva)}`;
      const place = known.find((one) => one.gva === gva) ??
        { gva, name: hex(gva), ranges: [] };
      partOf(context, report, place, what, (report) => {
        const module = readModule(kernel, gva);
        const live = stateOf(kernel, module) === "LIVE";
        const missing = missingOf(views, gva);
        if (live) {
          if (missing.length > 0) hidden(kernel, report, views, module);
          else noSymbols(kernel, report, module);
          return;
        }
        const why = neverSo(kernel, views, module);
        if (why === undefined && missing.length === 0) return;
        // While a module is loading or unloading, it appears in some views
        // only.
        if (why === undefined || wait(() => hasPassed(kernel, gva))) {
          passingOrGone(
            context,
            report,
            module,
            `module ${module.name}`,
            `it is being loaded or unloaded${
              missing.length === 0
                ? ""
                : `, and not in the ${missing.join(", nor in the ")}`
            }`,
          );
          return;
        }
        hidden(kernel, report, views, module, why);
      });
    }
  },
};

/**
 * Tells the module list, which is the guest's word: for whom the kernel is said
 * to vouch, and for whom not.
 */
function tellListed(report: Report, modules: readonly ModuleView[]): void {
  const vouched = modules.filter((module) => module.vouched);
  if (vouched.length > 0) {
    report.known(
      `modules for which the kernel vouches (${vouched.length}): ${
        vouched.map(({ name }) => name).sort().join(", ")
      }`,
    );
  }
  for (const { name, vouched, taints } of modules) {
    if (vouched) continue;
    report.known(
      `module ${name}: the kernel does not vouch for it (${
        taints.join(", ") || "not signed"
      })`,
    );
  }
}

/** The views that have been read and do not show a module. */
function missingOf(views: Views, gva: bigint): string[] {
  return VIEWS.map(([name]) => name)
    .filter((name) => views.get(name)?.has(gva) === false);
}

/** A module's state as the kernel calls it, without what all begin with. */
function stateOf(
  { types }: Kernel,
  { state }: ModuleView,
): "LIVE" | "COMING" | "GOING" | "UNFORMED" | undefined {
  return (["LIVE", "COMING", "GOING", "UNFORMED"] as const).find((name) =>
    types.tryEnumerator(`MODULE_STATE_${name}`) === state
  );
}

/**
 * What no module that is being loaded or unloaded is, but for the moment in
 * which the kernel gives back its memory; `undefined` if there is no such thing.
 *
 * The kernel lists a module, and enters it in the tree, before anything else
 * (add_unformed_module), and takes both back last (free_module). It is unformed
 * until it has been laid out, with its init code and without its folder in
 * sysfs, and again when all but its memory has been given back. (Both in
 * kernel/module/main.c.)
 */
function neverSo(
  kernel: Kernel,
  views: Views,
  module: ModuleView,
): string | undefined {
  const state = stateOf(kernel, module);
  const claim = state === undefined
    ? `its state is ${module.state}, which the kernel does not have`
    : `its state is ${state}, as of a module that is being loaded or unloaded, but that does not pass`;
  const missing = missingOf(views, module.gva);
  const listed = views.get("module list")?.has(module.gva);
  const formed = state === "UNFORMED" && listed === true &&
    (!module.hasInit || views.get("/sys/module")?.has(module.gva) === true);
  return state === undefined || missing.includes("module list") ||
      missing.includes("module tree") || formed
    ? claim
    : undefined;
}

/** Whether a module is gone, or is by now what its state says. */
function hasPassed(kernel: Kernel, gva: bigint): boolean {
  try {
    const views = new Map<string, ReadonlySet<bigint>>();
    for (const [name, read] of VIEWS) {
      const gvas = read(kernel);
      if (gvas !== undefined) views.set(name, new Set(gvas));
    }
    const module = readModule(kernel, gva);
    const code = module.text.at(0);
    if (code !== undefined) {
      // Its struct may be read for longer than its code is there.
      if (kernel.space.tryTranslate(code.start) === undefined) return true;
    }
    return stateOf(kernel, module) === "LIVE"
      ? missingOf(views, gva).length === 0
      : neverSo(kernel, views, module) === undefined;
  } catch (error) {
    // A list that changes does not say that the module has.
    if (error instanceof MemoryError) {
      return kernel.space.tryTranslate(gva) === undefined;
    }
    if (error instanceof KernelError) return false;
    throw error;
  }
}

/** @param why what its state claims, if it is not live */
function hidden(
  kernel: Kernel,
  report: Report,
  views: Views,
  module: ModuleView,
  why?: string,
): void {
  const { gva, name, text } = module;
  const missing = missingOf(views, gva);
  const shown = [...views.keys()].filter((view) =>
    view !== "memory" && views.get(view)?.has(gva) === true
  );
  const where = missing.length === 0
    ? "is loaded but not in /proc/modules"
    : `is loaded but not in the ${missing.join(", nor in the ")}`;
  const wiped = shownSymbols(kernel, gva) === 0
    ? "; its symbols are hidden (num_symtab is 0)"
    : "";
  report.finding({
    severity: why !== undefined || missing.includes("module list")
      ? "critical"
      : "high",
    where: `module ${name}`,
    address: gva,
    module: name,
    expected: "in every view of the kernel's modules",
    found: `code at ${text.map((t) => hex(t.start)).join(", ")}`,
    summary: `module ${name} ${where} (it is in ${
      [...shown, "memory"].join(", ")
    })${why === undefined ? "" : `; ${why}`}${wiped}`,
  });
}

/**
 * The first symbol of each module is empty, and always there (layout_symtab in
 * kernel/module/kallsyms.c).
 */
function noSymbols(
  kernel: Kernel,
  report: Report,
  { gva, name }: ModuleView,
): void {
  if (shownSymbols(kernel, gva) !== 0) return;
  report.finding({
    severity: "high",
    where: `symbols of module ${name}`,
    address: gva,
    module: name,
    expected: "at least one",
    found: "num_symtab is 0",
    summary:
      `module ${name} hides its symbols: num_symtab is 0, which no module is loaded with`,
  });
}
