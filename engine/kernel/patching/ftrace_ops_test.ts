import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { callSites, ftraceOps, opsFilter } from "./ftrace_ops.ts";

const TYPES = fixtureTypes({
  dyn_ftrace: { size: 16, members: { ip: [0, "u64"], flags: [8, "u64"] } },
  ftrace_page: {
    size: 32,
    members: { next: [0, "u64"], records: [8, "u64"], index: [16, "u32"] },
  },
  hlist_node: { size: 16, members: { next: [0, "u64"], pprev: [8, "u64"] } },
  ftrace_func_entry: {
    size: 24,
    members: { hlist: [0, "hlist_node"], ip: [16, "u64"] },
  },
  ftrace_hash: {
    size: 32,
    members: {
      size_bits: [0, "u64"],
      buckets: [8, "u64"],
      count: [16, "u64"],
    },
  },
  ftrace_ops_hash: { size: 8, members: { filter_hash: [0, "u64"] } },
  ftrace_ops: {
    size: 32,
    members: {
      func: [0, "u64"],
      next: [8, "u64"],
      flags: [16, "u64"],
      func_hash: [24, "u64"],
    },
  },
});

/** A guest with two pages of call sites. */
function guest() {
  const it = new FixtureGuest(TYPES);
  const variable = it.image();
  it.symbol("ftrace_pages_start", variable);
  const pages = [0, 1].map((n) => {
    const page = it.create("ftrace_page");
    const records = it.allocate(4 * 16);
    it.setU64(it.at("ftrace_page", page, "records"), records);
    it.setU32(it.at("ftrace_page", page, "index"), 2);
    for (const i of [0, 1]) it.setU64(records + BigInt(16 * i), 10 * n + i);
    return page;
  });
  it.setU64(variable, pages[0]);
  it.setU64(it.at("ftrace_page", pages[0], "next"), pages[1]);
  return { it, pages, variable };
}

Deno.test("call sites of all pages, in order", () => {
  const { it } = guest();
  const { count, ip } = callSites(it.kernel);
  assert.equal(count, 4);
  assert.deepEqual([...ip], [0, 0, 1, 0, 10, 0, 11, 0]);
});

Deno.test("pages of call sites that lead back end, even without any site", () => {
  const { it, pages } = guest();
  const next = it.at("ftrace_page", pages[1], "next");
  for (const to of [pages[1], pages[0]]) {
    it.setU64(next, to);
    assert.throws(() => callSites(it.kernel), /pages of call sites .* circles/);
  }
  for (const page of pages) {
    it.setU32(it.at("ftrace_page", page, "index"), 0);
  }
  assert.throws(() => callSites(it.kernel), /pages of call sites .* circles/);
});

Deno.test("a page with more call sites than fit in a kernel is refused", () => {
  const { it, pages } = guest();
  for (const count of [0xffff_ffff, 0x7fff_ffff, 1 << 23]) {
    it.setU32(it.at("ftrace_page", pages[0], "index"), count);
    assert.throws(() => callSites(it.kernel), KernelError);
  }
});

Deno.test("a list of ftrace_ops that leads to itself ends", () => {
  const it = new FixtureGuest(TYPES);
  const head = it.image();
  it.symbol("ftrace_ops_list", head);
  const ops = it.create("ftrace_ops");
  it.setU64(head, ops);
  it.setU64(it.at("ftrace_ops", ops, "next"), ops);
  assert.throws(() => ftraceOps(it.kernel), /ftrace_ops_list does not end/);
});

Deno.test("a filter whose chains lead to themselves ends at its limit", () => {
  const it = new FixtureGuest(TYPES);
  const [ops, hashes, hash, entry] = [
    "ftrace_ops",
    "ftrace_ops_hash",
    "ftrace_hash",
    "ftrace_func_entry",
  ].map((struct) => it.create(struct));
  it.setU64(it.at("ftrace_ops", ops, "func_hash"), hashes);
  it.setU64(hashes, hash);
  const buckets = it.allocate(8);
  it.setU64(it.at("ftrace_hash", hash, "buckets"), buckets);
  it.setU64(it.at("ftrace_hash", hash, "count"), 2n ** 40n);
  it.setU64(buckets, entry);
  it.setU64(entry, entry);
  assert.equal(opsFilter(it.kernel, ops).ips.length, 16);
  assert.equal(opsFilter(it.kernel, ops, 3).ips.length, 3);
});
