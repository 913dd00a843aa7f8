/**
 * Converts an attach plan to files and offsets, as needed by memory mappings
 * and by readers that use file positions.
 *
 * @module
 */

import { XftraceError } from "../base/errors.ts";
import type { RamRegion } from "../memory/ram_layout.ts";
import type { AttachPlan } from "./vm.ts";

/** Files, and where guest RAM lies in them. */
export interface PlanSegments {
  /** Files to map or to read: the backings, or only /proc/PID/mem. */
  readonly paths: readonly string[];
  /**
   * Device and inode that each of them must have, see
   * `VmBacking.identity`; undefined where any file will do.
   */
  readonly identities: readonly (string | undefined)[];
  /**
   * The runs of RAM: `backing` is an index into `paths`, `offset` an offset in
   * that file in bytes.
   */
  readonly segments: readonly RamRegion[];
}

/** Whether every backing used by the layout can be mapped. */
export function isMappable(plan: AttachPlan): boolean {
  return plan.layout.regions.every(({ backing }) =>
    plan.backings[backing].open !== undefined
  );
}

/**
 * The backing files of a plan.
 *
 * @throws {XftraceError} when one cannot be mapped.
 */
export function mapSegments(plan: AttachPlan): PlanSegments {
  const used = [...new Set(plan.layout.regions.map(({ backing }) => backing))];
  const paths = used.map((index) => {
    const { open, id } = plan.backings[index];
    if (open === undefined) {
      throw new XftraceError(
        `the memory backend ${id} cannot be mapped; read it through ` +
          plan.memPath,
      );
    }
    return open;
  });
  const segments = plan.layout.regions.map((region) => ({
    ...region,
    backing: used.indexOf(region.backing),
  }));
  const identities = used.map((index) => plan.backings[index].identity);
  return { paths, identities, segments };
}

/**
 * The same RAM through /proc/PID/mem, where offsets are HVAs. Possible for
 * every plan whose mappings are known.
 *
 * @throws {XftraceError} when a region is not mapped in the process.
 */
export function processSegments(plan: AttachPlan): PlanSegments {
  const segments: RamRegion[] = [];
  for (const region of plan.layout.regions) {
    const { mappings, id } = plan.backings[region.backing];
    const last = region.offset + region.end - region.start;
    let at = region.offset;
    for (const mapping of mappings) {
      const end = mapping.offset + mapping.end - mapping.start;
      if (mapping.offset > at || end <= at || at >= last) continue;
      const stop = Math.min(end, last);
      segments.push({
        start: region.start + at - region.offset,
        end: region.start + stop - region.offset,
        backing: 0,
        offset: mapping.start + at - mapping.offset,
      });
      at = stop;
    }
    if (at < last) {
      throw new XftraceError(
        `the memory backend ${id} is not mapped as a whole in the process; ` +
          `run as root, or as the VM's own user`,
      );
    }
  }
  return { paths: [plan.memPath], identities: [undefined], segments };
}
