/**
 * Kernel containers as iterators over the structs in them.
 *
 * A container is read completely before its first entry is returned, and read
 * again if the guest changes it meanwhile, so the entries returned were all
 * present at one time.
 *
 * @module
 */
import {
  hlistNodes,
  listNodes,
  rbNodes,
  steady,
  type WalkOptions,
  xarrayEntries,
} from "../core/lists.ts";
import { mapleEntries } from "../core/maple_tree.ts";
import { typeNamed, type Values } from "./context.ts";
import type {
  IndexedEntry,
  KernelValue,
  RangeEntry,
  WalkLimit,
} from "./object_types.ts";
import { findPlace } from "./places.ts";

/** Containers whose entries are linked through one of their members. */
const LINKED = {
  list: { what: "list", read: listNodes },
  hlist: { what: "hash chain", read: hlistNodes },
  rbtree: { what: "red-black tree", read: rbNodes },
} as const;

/**
 * The structs in a container, in its order.
 *
 * @param head GVA of the list's or chain's head, or of the tree's root
 * @param link the member that links them
 */
export function* linkedObjects(
  values: Values,
  container: keyof typeof LINKED,
  head: bigint,
  type: string,
  link: string,
  limit?: WalkLimit,
): Generator<KernelValue> {
  const { kernel } = values;
  const { what, read } = LINKED[container];
  const struct = typeNamed(kernel, type);
  // With the struct at address 0, a member's address is its offset.
  const { gva: back } = findPlace(kernel, { type: struct, gva: 0n }, link);
  const options: WalkOptions = {
    ...limit,
    what: `${what} of ${struct.name} by ${link}`,
    nulls: true,
  };
  for (const node of steady(() => read(kernel, head, options))) {
    yield values.at(struct, node - back);
  }
}

/** The objects that the pointers in an XArray point to. */
export function* xarrayObjects(
  values: Values,
  xarray: bigint,
  base: number,
  type: string,
  limit?: WalkLimit,
): Generator<IndexedEntry<KernelValue>> {
  const { kernel } = values;
  const pointed = typeNamed(kernel, type);
  const what = `XArray of ${pointed.name}`;
  const entries = steady(() =>
    xarrayEntries(kernel, xarray, { ...limit, what })
  );
  for (const { index, entry } of entries) {
    yield { index: index + base, object: values.at(pointed, entry) };
  }
}

/** The objects that the pointers in a maple tree point to. */
export function* mapleObjects(
  values: Values,
  tree: bigint,
  type: string,
  limit?: WalkLimit,
): Generator<RangeEntry<KernelValue>> {
  const { kernel } = values;
  const pointed = typeNamed(kernel, type);
  const what = `maple tree of ${pointed.name}`;
  const entries = steady(() => mapleEntries(kernel, tree, { ...limit, what }));
  for (const { first, last, entry } of entries) {
    yield { first, last, object: values.at(pointed, entry) };
  }
}
