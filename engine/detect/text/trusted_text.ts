/**
 * The text that a kernel should have: that of a trusted image, relocated to
 * where this boot put it.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { patchSites } from "./patch_sites.ts";
import type { PatchSites } from "./site_marks.ts";
import type { Vmlinux } from "./vmlinux.ts";

/** The text of a trusted image, relocated for this boot. */
export interface TrustedText {
  /** GVA of the first byte. */
  readonly start: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sites: PatchSites;
}

/**
 * Relocates a trusted image's text for a running kernel.
 *
 * @param probes GVAs at which kprobes are set now
 * @throws {KernelError} when the image belongs to another kernel.
 */
export function trustedText(
  kernel: Kernel,
  image: Vmlinux,
  probes: readonly bigint[],
): TrustedText {
  const { buildId } = kernel.facts;
  if (
    buildId !== undefined && image.buildId !== undefined &&
    buildId !== image.buildId
  ) {
    throw new KernelError(
      `${image.source} is another kernel (BUILD-ID ${image.buildId}) than the guest's (${buildId})`,
    );
  }
  const section = image.sections.find(({ name }) => name === ".text");
  if (section === undefined) {
    throw new KernelError(`${image.source} has no section .text`);
  }
  const start = kernel.symbols.address("_text");
  const linked = section.address;
  const slide = start - linked;
  // The sites are taken from the text as it was linked.
  const sites = patchSites(
    kernel,
    image,
    section.bytes,
    linked,
    slide,
    probes,
  );
  const bytes = Uint8Array.from(section.bytes);
  image.relocations.apply(bytes, linked, slide);
  return { start, bytes, sites };
}
