/**
 * `xftrace check --ask-guest` as a user runs it: part of the test of the hooks,
 * which loads the module.
 *
 * @module
 */
import assert from "node:assert/strict";
import { z } from "zod";
import { TraceArray } from "../../../engine/ftrace/ring/trace_array.ts";
import type { Kernel } from "../../../engine/kernel/core/kernel.ts";
import { listFrom } from "../../../engine/kernel/core/object.ts";
import { superBlocks } from "../../../engine/kernel/objects/vfs.ts";
import type { Session } from "../../../engine/session.ts";
import {
  assertOneClearError,
  type Guest,
  TRACEFS,
  xftrace,
} from "../support_fixture.ts";

const Run = z.object({
  verdict: z.string(),
  findings: z.array(z.object({ where: z.string(), summary: z.string() })),
  checks: z.array(z.object({ known: z.array(z.string()) })),
});

const ask = (guest: Guest) =>
  xftrace(["check", guest.target, "--only", "XF019", "--ask-guest", "--json"]);

/** Without the module, nothing in the guest can be asked. */
export async function nobodyToAsk(guest: Guest): Promise<void> {
  assertOneClearError(await ask(guest), /--ask-guest needs the module xftrace/);
}

/** First tracefs agrees with memory; then it is made to lie. */
export async function askGuest(guest: Guest, session: Session): Promise<void> {
  const honest = await ask(guest);
  assert.equal(honest.code, 0, honest.err + honest.out);
  const clean = Run.parse(JSON.parse(honest.out));
  assert.deepEqual([clean.verdict, clean.findings], ["clean", []]);
  const known = clean.checks.flatMap(({ known }) => known).join("\n");
  for (
    const said of [
      "tracing_on is 1",
      "current_tracer is nop",
      "max_graph_depth is 0",
      "set_graph_function is all functions",
    ]
  ) assert.match(known, new RegExp(`the guest says ${said}, as memory does`));

  await guest.sh(
    `cd ${TRACEFS}; mkdir instances/lie; echo 0 > instances/lie/tracing_on`,
  );
  const { kernel, memory } = session;
  const top = TraceArray.global(kernel).object.gva;
  const other = TraceArray.all(kernel).find(({ name }) => name === "lie");
  assert.ok(other !== undefined);
  // As a rootkit would do it: the file shows another variable.
  const { gpa } = kernel.space.translate(tracingOnFile(kernel, top));
  const bend = (from: bigint, to: bigint) =>
    assert.equal(memory.compareExchange(gpa, 8, from, to), from);
  bend(top, other.object.gva);
  try {
    assert.equal((await guest.sh(`cat ${TRACEFS}/tracing_on`)).trim(), "0");
    const lying = await ask(guest);
    assert.equal(lying.code, 2, lying.err + lying.out);
    const run = Run.parse(JSON.parse(lying.out));
    assert.equal(run.verdict, "findings");
    assert.deepEqual(run.findings.map(({ where }) => where), [
      "tracefs' tracing_on",
    ]);
    assert.match(
      run.findings[0].summary,
      /says through tracefs that tracing_on is 0, but in memory it is 1/,
    );
  } finally {
    bend(other.object.gva, top);
    await guest.sh(`rmdir ${TRACEFS}/instances/lie`);
  }
}

/** GVA of `i_private` of the top level's tracing_on. */
function tracingOnFile(kernel: Kernel, top: bigint): bigint {
  const operations = kernel.symbols.address("rb_simple_fops");
  const tracefs = superBlocks(kernel).find(({ type }) => type === "tracefs");
  assert.ok(tracefs !== undefined);
  const inodes = kernel.object("super_block", tracefs.gva).at("s_inodes");
  for (const inode of listFrom(kernel, inodes, "inode", "i_sb_list")) {
    if (
      inode.u64("i_fop") === operations && inode.u64("i_private") === top
    ) return inode.at("i_private");
  }
  throw new Error("tracefs has no tracing_on");
}
