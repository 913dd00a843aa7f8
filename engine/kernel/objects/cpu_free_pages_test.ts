import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { cpuFreeBlocks } from "./cpu_free_pages.ts";

const LISTS = 14;
const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  page: { size: 64, members: { lru: [8, "list_head"] } },
  // Arrays, of which only the size matters.
  lists: { size: 16 * LISTS, members: {} },
  per_cpu_pages: {
    size: 32 + 16 * LISTS,
    members: { lists: [32, "lists"] },
  },
  zone: { size: 64, members: { per_cpu_pageset: [8, "u64"] } },
  zones: { size: 128, members: {} },
  pglist_data: { size: 256, members: { node_zones: [0, "zones"] } },
});

function guestWith() {
  const guest = new FixtureGuest(TYPES);
  const node = guest.image(32);
  guest.symbol("contig_page_data", node);
  const own = guest.create("per_cpu_pages");
  guest.setU64(node + 8n, own);
  const head = (list: number) => own + BigInt(32 + 16 * list);
  for (let i = 0; i < LISTS; i++) guest.link(head(i));
  const blocks = () =>
    cpuFreeBlocks(Object.create(guest.kernel, {
      perCpuOffsets: { value: [0n] },
    }));
  return { guest, head, blocks };
}

Deno.test("the place of a CPU's list tells the order of its blocks", () => {
  const { guest, head, blocks } = guestWith();
  const pages = [0, 4, 11, 12].map((list) => {
    const page = guest.create("page");
    guest.link(head(list), page + 8n);
    return page;
  });
  assert.deepEqual(pages.map((page) => blocks().get(page)), [0, 1, 3, 9]);
  assert.equal(blocks().size, 4);
});

Deno.test("a list that changes is left out", () => {
  const { guest, head, blocks } = guestWith();
  const page = guest.create("page");
  guest.link(head(4), page + 8n);
  guest.setU64(page + 8n, page + 8n);
  assert.equal(blocks().get(page), undefined);
});
