/**
 * `xftrace off` of a guest that was moved to another QEMU (live migration): its
 * kernel runs on there, with what `xftrace on` has set in it.
 *
 * @module
 */
import { basename } from "node:path";
import { GuestGoneError, type Session, XftraceError } from "xftrace";
import { appliedBefore } from "xftrace/control";
import { sleep } from "xftrace/ftrace";
import { open } from "xftrace/live";
import { SealedTracer } from "xftrace/seal";
import { listVms, shellWord, targetOf } from "xftrace/targets";
import {
  isGone,
  type StateFolder,
  stateFolders,
  type TraceState,
} from "../../collector/state.ts";
import { note } from "../terminal.ts";

/** A trace, and where it is kept. */
export interface KeptTrace {
  readonly folder: StateFolder;
  readonly state: TraceState;
}

/** The most VMs of this host that are looked at. */
const MOST_VMS = 16;
/** How long a guest's clock may take to advance, ms, and time between looks. */
const TICK_MS = 1000;
const LOOK_MS = 20;

/** Whether a guest's clock advances. */
async function ticks({ kernel }: Pick<Session, "kernel">): Promise<boolean> {
  const start = performance.now();
  while (performance.now() < start + TICK_MS) {
    const passed = performance.now() - start;
    if ((kernel.origin?.stillMs() ?? Infinity) < passed) return true;
    await sleep(LOOK_MS);
  }
  return false;
}

/** Opens a guest and asks something about it; `undefined` if that fails. */
async function looking<T>(
  target: string,
  ask: (session: Session) => T | Promise<T>,
): Promise<T | undefined> {
  try {
    using guest = await open(target, { onWarning: () => {} });
    return await ask(guest.session);
  } catch (error) {
    // It may be another user's, just starting, or ending.
    if (!(error instanceof XftraceError)) throw error;
    return undefined;
  }
}

/** The number of the process in which a trace was begun. */
function processOf({ folder }: KeptTrace): number {
  return Number(/^vm-(\d+)-/.exec(basename(folder.path))?.[1]);
}

/** Whether a guest is the one of a trace, in another process. */
async function runsThere(trace: KeptTrace, session: Session): Promise<boolean> {
  const { folder, state } = trace;
  return state.boot !== undefined && session.key !== undefined &&
    session.key !== basename(folder.path) &&
    session.kernel.origin?.boot === state.boot && await ticks(session);
}

/**
 * The target of the VM on this host that runs a trace's kernel now, if it is not
 * the one in which the trace was begun.
 */
export async function whereItRuns(
  trace: KeptTrace,
): Promise<string | undefined> {
  if (trace.state.boot === undefined) return undefined;
  const vms = listVms().filter((vm) =>
    vm.attachable && vm.pid !== processOf(trace)
  );
  for (const vm of vms.slice(0, MOST_VMS)) {
    const runs = await looking(
      `pid:${vm.pid}`,
      (session) => runsThere(trace, session),
    );
    if (runs !== true) continue;
    const target = targetOf(vm);
    return target === trace.state.target && trace.folder.guestRuns()
      ? `pid:${vm.pid}`
      : target;
  }
  return undefined;
}

/** Whether a target that was named is where a trace's kernel runs now. */
export async function isMovedTo(
  target: string | undefined,
  trace: KeptTrace,
): Promise<boolean> {
  return target !== undefined &&
    await looking(target, (session) => runsThere(trace, session)) === true;
}

/** The trace that was begun in a guest before it was moved here. */
export async function movedTrace(
  session: Session,
): Promise<KeptTrace | undefined> {
  for (const folder of stateFolders()) {
    const state = folder.read();
    if (state === undefined) continue;
    const trace = { folder, state };
    if (!await runsThere(trace, session)) continue;
    const result = folder.readResult();
    const gone = !folder.guestRuns() ||
      (result !== undefined && isGone(result));
    // Two processes may run the same boot: one is a copy of the other.
    if (gone || !await looking(`pid:${processOf(trace)}`, ticks)) return trace;
  }
  return undefined;
}

/**
 * Keeps what another `off` needs to undo the changes where the guest runs now.
 *
 * @returns the error that says so
 */
export function keepForMoved(
  { folder, state }: KeptTrace,
  to: string | undefined,
  output: string | undefined,
): GuestGoneError {
  const collected = output === undefined
    ? ""
    : ` before \`xftrace off\`; ${output} holds what was collected until then`;
  const what = `${state.target}: the guest was migrated away${collected}`;
  if (state.applied.length === 0) {
    folder.remove();
    return new GuestGoneError(what);
  }
  folder.write({ ...state, collected: true, migrated: true });
  folder.dropCollected();
  const set = `what \`xftrace on\` set is still set in it (${
    state.applied.map(appliedBefore).join(", ")
  })`;
  return new GuestGoneError(
    to === undefined
      ? `${what}; its kernel runs on elsewhere, and ${set}: run \`xftrace off -t TARGET\` with the VM that it is now, on its host, to stop recording there (to forget it, remove ${folder.path})`
      : `${what}; its kernel runs on in ${to}, and ${set}: run \`xftrace off -t ${
        shellWord(to)
      }\` to undo it`,
  );
}

/** Switches the module off that a sealed trace has left on. */
export async function switchModuleOff(session: Session): Promise<void> {
  const tracer = SealedTracer.find(session);
  if (tracer?.enabled !== true) return;
  await tracer.takeBack();
  note(`the guest's module was still on in ${session.target}; it is off now`);
}
