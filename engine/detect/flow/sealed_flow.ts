/**
 * Determines which function calls which from a sealed recording, using verified
 * entries only.
 *
 * @module
 */
import { archNamed } from "../../arch/all.ts";
import { withoutOffset } from "../../arch/ftrace_sites.ts";
import { hex } from "../../base/hex.ts";
import { ENTRY, ENTRY_KIND } from "../../seal/page/abi.ts";
import {
  isUnharmed,
  verifyRecording,
} from "../../seal/recording/verify_recording.ts";
import { type CallFlow, flowOf, type RecordedFlow, ROOT } from "./call_flow.ts";

/** A call flow, and the kernel it belongs to. */
export interface SealedFlow extends RecordedFlow {
  /** As printed by `uname -r`. */
  readonly release: string;
}

/** A call that has not returned yet. */
interface Open {
  readonly name: string;
  readonly callees: Map<string, number>;
  size: number;
}

/** The function entries and returns of a recording, as columns. */
class Rows {
  readonly times: number[] = [];
  readonly funcs: bigint[] = [];
  readonly callers: bigint[] = [];
  /** depth << 1, plus 1 for an entry. */
  readonly shapes: number[] = [];
  readonly pids: number[] = [];

  add(words: Int32Array, at: number): void {
    const word = (offset: number) => words[at + offset / 4] >>> 0;
    const kind = (word(ENTRY.depth) >>> 16) & 0xff;
    if (kind !== ENTRY_KIND.entry && kind !== ENTRY_KIND.return) return;
    const u64 = (offset: number) =>
      BigInt(word(offset + 4)) << 32n | BigInt(word(offset));
    this.times.push(word(ENTRY.time + 4) * 2 ** 32 + word(ENTRY.time));
    this.funcs.push(u64(ENTRY.func));
    this.callers.push(u64(ENTRY.caller));
    const depth = word(ENTRY.depth) & 0xffff;
    this.shapes.push(depth << 1 | (kind === ENTRY_KIND.entry ? 1 : 0));
    this.pids.push(word(ENTRY.pid));
  }

  /** Row numbers, the oldest first. */
  order(): Uint32Array {
    const rows = Uint32Array.from(this.times, (_, i) => i);
    return rows.sort((a, b) => this.times[a] - this.times[b] || a - b);
  }
}

/**
 * Reads and verifies a sealed recording. Faults of its seals are in `problems`;
 * a flow with problems does not prove that anything is missing.
 *
 * @param klogPath the key log; default: the one named in the recording
 * @throws {XftraceError} when a file cannot be read or has another format.
 *
 * @example
 * ```ts ignore
 * import { flowText, sealedFlow } from "xftrace/detect";
 *
 * const { flow, problems } = sealedFlow("web1.xfs");
 * console.log(problems, flowText(flow, { depth: 3 }));
 * ```
 */
export function sealedFlow(path: string, klogPath?: string): SealedFlow {
  const rows = new Rows();
  const result = verifyRecording(
    path,
    klogPath,
    (_cpu, _sequence, words, at) => rows.add(words, at),
  );
  const { total } = result;
  const { header, names } = result.recording;
  const problems = [...result.problems];
  if (result.unauthenticated !== undefined) {
    problems.push(result.unauthenticated);
  }
  if (!isUnharmed({ ...result, problems: [] })) {
    problems.push(
      `its seals: ${total.forged} forged, ${total.missing} missing, ${total.replayed} replayed, ${total.reordered} out of order, ${
        total.early + total.late
      } of a wrong time`,
    );
  }
  const { ftraceSites } = archNamed(header.arch);
  const name = (gva: bigint) => {
    const known = names[hex(gva)];
    return known === undefined ? hex(gva) : withoutOffset(ftraceSites, known);
  };
  return { ...flowOfRows(rows, name), problems, release: header.kernel };
}

function flowOfRows(
  rows: Rows,
  name: (gva: bigint) => string,
): Omit<RecordedFlow, "problems"> {
  const flow: CallFlow = new Map();
  const functions = new Map<bigint, { caller: string; calls: number }>();
  const callers = new Map<bigint, { callee: string; calls: number }>();
  const stacks = new Map<number, Open[]>();
  let events = 0;
  for (const row of rows.order()) {
    const depth = rows.shapes[row] >> 1;
    let stack = stacks.get(rows.pids[row]);
    if (stack === undefined) stacks.set(rows.pids[row], stack = []);
    const func = rows.funcs[row];
    const own = name(func);
    if ((rows.shapes[row] & 1) === 1) {
      events++;
      // Deeper calls have lost their returns.
      stack.length = Math.min(stack.length, depth);
      // If an entry was lost, the next outer call is not the caller.
      const above = stack.length === depth ? stack[depth - 1] : undefined;
      const caller = above?.name ?? ROOT;
      const seen = functions.get(func) ?? { caller, calls: 0 };
      seen.calls++;
      functions.set(func, seen);
      const from = rows.callers[row];
      const called = callers.get(from) ?? { callee: own, calls: 0 };
      called.calls++;
      callers.set(from, called);
      if (above !== undefined) {
        above.callees.set(own, (above.callees.get(own) ?? 0) + 1);
      }
      if (stack.length === depth) {
        stack.push({ name: own, callees: new Map(), size: 0 });
      }
      continue;
    }
    const open = stack[depth];
    if (stack.length !== depth + 1 || open?.name !== own) {
      stack.length = Math.min(stack.length, depth);
      continue;
    }
    stack.pop();
    const into = flowOf(flow, own);
    into.calls++;
    for (const [callee, times] of open.callees) {
      const seen = into.callees.get(callee) ?? { total: 0, within: 0 };
      seen.total += times;
      seen.within++;
      into.callees.set(callee, seen);
    }
    const above = stack[depth - 1];
    if (above !== undefined) above.size += open.size + 1;
    else if (depth === 0) {
      into.sizes.set(open.size, (into.sizes.get(open.size) ?? 0) + 1);
      const roots = flowOf(flow, ROOT).callees;
      const seen = roots.get(own) ?? { total: 0, within: 0 };
      roots.set(own, { total: seen.total + 1, within: seen.within + 1 });
    }
  }
  return {
    flow,
    events,
    functions: [...functions].map(([gva, seen]) => ({ gva, ...seen })),
    callers: [...callers].map(([gva, seen]) => ({ gva, ...seen })),
  };
}
