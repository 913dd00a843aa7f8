/**
 * Guests with a resource tree, for tests.
 *
 * @module
 */
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";

/** A node of a resource tree: first and last GPA, name, children. */
export type FixtureResource = readonly [
  start: number,
  end: number,
  name: string,
  children?: readonly FixtureResource[],
];

/** A guest that holds one resource tree after another. */
export class ResourceGuest {
  readonly guest: FixtureGuest = new FixtureGuest(fixtureTypes({
    resource: {
      size: 64,
      members: {
        start: [0, "u64"],
        end: [8, "u64"],
        name: [16, "u64"],
        sibling: [24, "u64"],
        child: [32, "u64"],
      },
    },
  }));
  readonly #root: bigint;

  constructor(tree: readonly FixtureResource[]) {
    this.#root = this.guest.image();
    this.guest.symbol("iomem_resource", this.#root);
    this.set(tree);
  }

  /** Replaces the tree; returns the GVAs of its top level. */
  set(tree: readonly FixtureResource[]): bigint[] {
    return this.#children(this.#root, tree);
  }

  #children(parent: bigint, list: readonly FixtureResource[]): bigint[] {
    const { guest } = this;
    const made = list.map(([start, end, name, children = []]) => {
      const at = guest.create("resource");
      guest.setU64(at, start);
      guest.setU64(at + 8n, end);
      guest.setU64(at + 16n, guest.text(name));
      this.#children(at, children);
      return at;
    });
    guest.setU64(parent + 32n, made[0] ?? 0n);
    made.forEach((at, i) => guest.setU64(at + 24n, made[i + 1] ?? 0n));
    return made;
  }
}
