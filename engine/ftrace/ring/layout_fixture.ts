/**
 * A trace layout for tests without a kernel: that of 6.1.
 *
 * @module
 */

import type { TraceLayout } from "./meta.ts";

/** The layout of Linux 6.1 on x86-64. */
export const LAYOUT_6_1: TraceLayout = {
  page: { timeStamp: 0, commit: 8, data: 16 },
  types: {
    fn: 1,
    ctx: 2,
    wake: 3,
    stack: 4,
    print: 5,
    bprint: 6,
    graphRet: 10,
    graphEnt: 11,
    userStack: 12,
    bputs: 14,
    hwlat: 15,
    osnoise: 16,
    timerlat: 17,
    rawData: 18,
    funcRepeats: 19,
    graphRetaddrEnt: -1,
    last: 20,
  },
  graphEntry: { func: 8, depth: 16, size: 20, args: -1, retaddr: -1 },
  graphReturn: {
    func: 8,
    depth: 16,
    overrun: 20,
    retval: -1,
    calltime: 24,
    rettime: 32,
    size: 40,
  },
  graphFirst: 10,
  graphLast: 11,
  fn: { ip: 8, parentIp: 16, args: -1 },
  stack: { size: 8, caller: 16 },
  userStack: { tgid: 8, caller: 16 },
  print: { ip: 8, buf: 16 },
  bprint: { ip: 8, fmt: 16, buf: 24 },
  bputs: { ip: 8, str: 16 },
  rawData: { id: 8, buf: 12 },
  funcRepeats: {
    ip: 8,
    parentIp: 16,
    count: 24,
    topDelta: 26,
    bottomDelta: 28,
  },
};
