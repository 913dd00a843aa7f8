/**
 * Parts of checks that read what belongs to a module, which may be unloaded
 * after it was listed and before it is read.
 *
 * What an unloaded module held cannot be in use any more: it is in flux. A
 * module does not count as unloaded because it cannot be read, nor because it
 * is not on the list: its memory must be unmapped as well, or hold traps alone
 * (mm/execmem.c, since Linux 6.13), or belong to another module, which is then
 * judged.
 *
 * @module
 */
import { GuestGoneError, KernelError, MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import {
  listedModules,
  type ModuleView,
  readModule,
  readModules,
} from "../../kernel/objects/module_views.ts";
import type { GvaRange } from "../../memory/gva_ranges.ts";
import type { Report } from "../finding.ts";
import type { CheckContext } from "./context.ts";
import { HeldReport } from "./held_report.ts";
import { isTraps } from "./traps.ts";

/** Maximum number of modules that are tried one after another at one place. */
const MOST_MODULES = 3;

/** A module's name and its memory: enough to tell whether it is unloaded. */
export type ModulePlace = Pick<ModuleView, "gva" | "name" | "ranges">;

/** Which modules a part is about. */
export interface ModulePartOptions {
  /** Whether to include those that are being loaded or unloaded; default: no. */
  readonly anyState?: boolean;
}

/**
 * Runs one part of a check for each module that was listed.
 *
 * @param what begins the part's name: `text of module`
 * @param body reads and judges; what it reports counts when it returns
 */
export function eachModule(
  context: CheckContext,
  report: Report,
  what: string,
  body: (module: ModuleView, report: Report) => void,
  options: ModulePartOptions = {},
): void {
  for (const module of context.code.modules) {
    modulePart(context, report, what, module, body, options);
  }
}

/**
 * Reads something at a GVA. In a module's memory that is a part of its own,
 * which is gone when the module is unloaded; elsewhere errors are thrown to the
 * caller.
 */
export function partAt(
  context: CheckContext,
  report: Report,
  gva: bigint,
  what: string,
  body: (report: Report) => void,
): void {
  const module = context.code.moduleAt(gva);
  if (module === undefined) body(report);
  else partOf(context, report, module, what, body);
}

/** Runs a part about a module, whatever its state is. */
export function partOf(
  { kernel }: CheckContext,
  report: Report,
  module: ModulePlace,
  what: string,
  body: (report: Report) => void,
): void {
  const held = new HeldReport(report);
  try {
    body(held);
    held.tell();
  } catch (error) {
    if (isUnreadable(error) && placeOf(kernel, module) === "gone") {
      report.gone(goneFinding(what, module));
      return;
    }
    failed(report, held, what, error);
  }
}

/**
 * Tells what of a module may pass: it is in flux if the module is gone by now.
 *
 * @param part what was read of it
 */
export function passingOrGone(
  { kernel }: CheckContext,
  report: Report,
  module: ModulePlace,
  part: string,
  why: string,
): void {
  if (placeOf(kernel, module) === "gone") {
    report.gone(goneFinding(part, module));
  } else report.passing(part, why);
}

/** Whether the `struct module` still holds what was read of it before. */
export function isCurrent(kernel: Kernel, module: ModuleView): boolean {
  // A recording stays as it is.
  return !kernel.memory.live || isSame(readModule(kernel, module.gva), module);
}

function modulePart(
  context: CheckContext,
  report: Report,
  what: string,
  listed: ModuleView,
  body: (module: ModuleView, report: Report) => void,
  { anyState = false }: ModulePartOptions,
): void {
  const { kernel } = context;
  const live = kernel.types.enumerator("MODULE_STATE_LIVE");
  let module = listed;
  for (let tries = 1;; tries++) {
    const name = `${what} ${module.name}`;
    const held = new HeldReport(report);
    try {
      if (!isCurrent(kernel, module)) {
        throw new KernelError("it changed while it was read");
      }
      if (!anyState && module.state !== live) {
        report.passing(name, "the module is being loaded or unloaded");
        return;
      }
      body(module, held);
      held.tell();
      return;
    } catch (error) {
      const now = isUnreadable(error) ? placeOf(kernel, module) : undefined;
      if (now === "gone") {
        report.gone(goneFinding(name, module));
        return;
      }
      const another = now !== undefined && !isSame(now, module);
      if (!another || tries === MOST_MODULES) {
        failed(report, held, name, error);
        return;
      }
      context.forget(module);
      module = now;
    }
  }
}

/** A part failed: what was said until then counts, the rest is unjudged. */
function failed(
  report: Report,
  held: HeldReport,
  what: string,
  error: unknown,
): void {
  held.tell();
  report.part(what, () => {
    throw error;
  });
}

/** Whether an error may come of a module that is unloaded. */
function isUnreadable(error: unknown): boolean {
  return !(error instanceof GuestGoneError) &&
    (error instanceof KernelError || error instanceof MemoryError);
}

/**
 * What is at a module's place now: a module on the list (the same one, or
 * another), nothing, or `undefined`: what nobody accounts for.
 */
function placeOf(
  kernel: Kernel,
  module: ModulePlace,
): ModuleView | "gone" | undefined {
  // A recording stays as it is.
  if (!kernel.memory.live) return undefined;
  try {
    const listed = readModules(kernel, listedModules(kernel));
    const places = placesOf(kernel, module);
    const now = listed.find((one) => one.gva === module.gva) ??
      listed.find((one) => overlap(placesOf(kernel, one), places));
    if (now !== undefined) return now;
    const { inRegion, unread } = kernel.space.mappings(
      kernel.moduleRegion,
    );
    return unread > 0 || holdsMore(kernel, inRegion, places)
      ? undefined
      : "gone";
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

/**
 * Whether anything of a module's memory is mapped still, other than pages that
 * the kernel has filled with traps and keeps for the next module.
 */
function holdsMore(
  kernel: Kernel,
  mapped: readonly GvaRange[],
  places: readonly GvaRange[],
): boolean {
  const page = BigInt(kernel.pageSize);
  for (const place of places) {
    for (const range of mapped) {
      const end = range.end < place.end ? range.end : place.end;
      let at = range.start > place.start ? range.start : place.start;
      for (; at < end; at += page - at % page) {
        if (!isTraps(kernel, at)) return true;
      }
    }
  }
  return false;
}

/** A module's memory, its `struct module` included. */
function placesOf(kernel: Kernel, { gva, ranges }: ModulePlace): GvaRange[] {
  const { size } = kernel.types.struct("module");
  return [...ranges, { start: gva, end: gva + BigInt(size) }];
}

function overlap(a: readonly GvaRange[], b: readonly GvaRange[]): boolean {
  return a.some(({ start, end }) =>
    b.some((other) => start < other.end && other.start < end)
  );
}

/** Whether two looks at one place saw the same module. */
function isSame(a: ModuleView, b: ModuleView): boolean {
  const of = ({ gva, name, state, text }: ModuleView) =>
    [gva, name, state, ...text.flatMap(({ start, end }) => [start, end])]
      .join();
  return of(a) === of(b);
}

function goneFinding(
  what: string,
  { name, gva }: ModulePlace,
): Parameters<Report["gone"]>[0] {
  return {
    severity: "low",
    where: what,
    address: gva,
    module: name,
    summary: `module ${name} was unloaded while it was read (${what})`,
  };
}
