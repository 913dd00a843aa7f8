/**
 * The trace scripts, as the tests run them on the recordings.
 *
 * @module
 */
import type { Script } from "../../scripts/script.ts";
import blockTime from "../../scripts/block_time.ts";
import callGraph from "../../scripts/call_graph.ts";
import execs from "../../scripts/execs.ts";
import foreignCalls from "../../scripts/foreign_calls.ts";
import irqTime from "../../scripts/irq_time.ts";
import latencyHistogram from "../../scripts/latency_histogram.ts";
import opens from "../../scripts/opens.ts";
import processTree from "../../scripts/process_tree.ts";
import slowSyscalls from "../../scripts/slow_syscalls.ts";
import syscallCounts from "../../scripts/syscall_counts.ts";
import whoCalls from "../../scripts/who_calls.ts";

/** The scripts, with flags for which the recordings have results. */
export const SCRIPTS: readonly [script: Script, ...args: string[]][] = [
  [blockTime],
  [callGraph, "--calls", "2"],
  [execs],
  [foreignCalls],
  [irqTime],
  [latencyHistogram],
  [opens],
  [processTree, "--process", "ls"],
  [slowSyscalls, "--over", "10us"],
  [syscallCounts],
  [whoCalls, "--function", "kmem_cache_alloc*", "--under", "sys_openat"],
];
