/**
 * A host that hardly lets a guest run, as a busy one does.
 *
 * @module
 */
import type { Guest } from "../../../lab/mod.ts";

/** Where control groups for processors are: version 1, version 2. */
const ROOTS = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup"];
/** Length of a period, microseconds. */
const PERIOD = 100_000;

/**
 * Gives a guest's processors only this share of one processor of the host's, for
 * as long as the result is not disposed of. Needs to be root.
 */
export function starve(guest: Guest, share: number): AsyncDisposable {
  const quota = Math.round(PERIOD * share);
  const group = makeGroup(`xftrace-${guest.name}`);
  try {
    if (group.startsWith(`${ROOTS[0]}/`)) {
      Deno.writeTextFileSync(`${group}/cpu.cfs_period_us`, `${PERIOD}`);
      Deno.writeTextFileSync(`${group}/cpu.cfs_quota_us`, `${quota}`);
    } else Deno.writeTextFileSync(`${group}/cpu.max`, `${quota} ${PERIOD}`);
    Deno.writeTextFileSync(`${group}/cgroup.procs`, `${guest.pid}`);
  } catch (error) {
    Deno.removeSync(group);
    throw error;
  }
  return {
    async [Symbol.asyncDispose]() {
      // A group can be removed once it is empty.
      const procs = `${group.slice(0, group.lastIndexOf("/"))}/cgroup.procs`;
      if (guest.running) Deno.writeTextFileSync(procs, `${guest.pid}`);
      for (let tries = 0;; tries++) {
        try {
          return Deno.removeSync(group);
        } catch (error) {
          if (tries === 100) throw error;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }
    },
  };
}

function makeGroup(name: string): string {
  const root = ROOTS.find((root) => {
    try {
      return Deno.statSync(`${root}/cgroup.procs`).isFile;
    } catch {
      return false;
    }
  });
  if (root === undefined) {
    throw new Error("this host has no control groups for processors");
  }
  const group = `${root}/${name}`;
  Deno.mkdirSync(group);
  return group;
}
