/**
 * XF015: hidden modules.
 *
 * @module
 */
import { hex } from "../../base/hex.ts";
import {
  listedModules,
  readModule,
  sysfsModules,
  treeModules,
} from "../../kernel/objects/module_views.ts";
import type { Check } from "../core/check.ts";
import { partOf } from "../core/module_parts.ts";

/**
 * Checks for modules that appear in one of the kernel's views but not in
 * another.
 */
export const hiddenModules: Check = {
  id: "XF015",
  title: "hidden modules",
  technique: "T1014",
  help:
    "The module list, the tree by address, sysfs and the structs that lie in the modules' memory show the same modules.",
  run(context, report) {
    const { kernel, code } = context;
    const views = new Map<string, ReadonlySet<bigint>>();
    const view = (name: string, gvas: readonly bigint[] | undefined) => {
      if (gvas === undefined) report.known(`this kernel has no ${name}`);
      else views.set(name, new Set(gvas));
    };
    report.part(
      "module list",
      () => view("module list", listedModules(kernel)),
    );
    report.part("module tree", () => view("module tree", treeModules(kernel)));
    report.part("/sys/module", () => view("/sys/module", sysfsModules(kernel)));
    view("memory", code.unlisted.map(({ gva }) => gva));
    const all = new Set([...views.values()].flatMap((gvas) => [...gvas]));
    report.judged(all.size);
    const known = [...code.modules, ...code.unlisted];
    const live = kernel.types.enumerator("MODULE_STATE_LIVE");
    for (const { name, gva } of code.codeless) {
      if (all.has(gva)) continue;
      report.passing(
        `module ${name}`,
        `it lies in memory at ${
          hex(gva)
        }, is not in the module list, and names no code`,
      );
    }
    for (const gva of all) {
      const what = `the module at ${hex(gva)}`;
      const place = known.find((one) => one.gva === gva) ??
        { gva, name: hex(gva), ranges: [] };
      partOf(context, report, place, what, (report) => {
        const module = readModule(kernel, gva);
        const has = (name: string) => views.get(name)?.has(gva) ?? true;
        const missing = ["module list", "module tree", "/sys/module"]
          .filter((name) => !has(name));
        if (missing.length === 0) return;
        // While a module is loading or unloading, it appears in some views
        // only.
        if (module.state !== live) {
          report.passing(
            `module ${module.name}`,
            `it is being loaded or unloaded, and not in the ${
              missing.join(", nor in the ")
            }`,
          );
          return;
        }
        const shown = [...views.keys()].filter((name) =>
          name !== "memory" && has(name)
        );
        report.finding({
          severity: missing.includes("module list") ? "critical" : "high",
          where: `module ${module.name}`,
          address: gva,
          module: module.name,
          expected: "in every view of the kernel's modules",
          found: `code at ${module.text.map((t) => hex(t.start)).join(", ")}`,
          summary: `module ${module.name} is loaded but not in the ${
            missing.join(", nor in the ")
          } (it is in ${[...shown, "memory"].join(", ")})`,
        });
      });
    }
  },
};
