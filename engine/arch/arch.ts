/**
 * What differs from one architecture to the next. All that the rest of the
 * engine knows of a processor it asks for here; `all.ts` lists the
 * architectures there are. docs/adding_an_architecture.md is the checklist.
 *
 * @module
 */
import type { ImageMap } from "./image_map.ts";
import type { KernelFinder } from "./kernel_place.ts";

/** One architecture of guests. */
export interface Arch {
  /** As `uname -m` says it. */
  readonly name: string;
  readonly image: ImageMap;
  readonly finder: KernelFinder;
}
