/**
 * A guest to which something happens while xftrace works on it, and the commands
 * that notice it.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Guest } from "../../../lab/mod.ts";
import type { Status } from "../../../scripts/cli/commands/status.ts";
import { User } from "../seal/user_fixture.ts";
import {
  assertOneClearError,
  ended,
  type Run,
  SLOW,
  TRACEFS,
} from "../support_fixture.ts";

/** How long to wait for what must happen, ms; a busy host may take long. */
const PATIENCE_MS = 300_000;

/** Waits until a condition is true. */
export async function until(
  what: string,
  done: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!await done()) {
    assert.ok(performance.now() < end, `it does not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits for some time that is itself what is tested, such as a pause. */
export function hold(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** Selects function_graph for some functions, without recording. */
export async function prepare(guest: Guest): Promise<void> {
  await guest.sh(
    `cd ${TRACEFS}; echo 0 > tracing_on; echo 4096 > buffer_size_kb
     echo 'vfs_*' > set_ftrace_filter; echo 'do_sys_*' >> set_ftrace_filter
     echo vfs_open > set_graph_function; echo function_graph > current_tracer`,
    SLOW,
  );
}

/** Opens and reads a file some times a second, until {@linkcode unload}. */
export async function load(guest: Guest): Promise<void> {
  await guest.sh(
    "touch /tmp/load; (while [ -e /tmp/load ]; do cat /proc/self/maps >/dev/null; usleep 20000; done) >/dev/null 2>&1 &",
  );
}

/** Ends the load. */
export async function unload(guest: Guest): Promise<void> {
  await guest.sh("rm /tmp/load", SLOW);
}

/** A user whose guest has faults. */
export class FaultUser extends User {
  async status(): Promise<Status> {
    return JSON.parse(await this.ok("status", "--json"));
  }

  /** How many events the collector has read. */
  async collected(): Promise<number> {
    return (await this.status()).collector?.events ?? 0;
  }

  /** Waits until the collector has read that many events more. */
  async collects(more: number): Promise<void> {
    const before = await this.collected();
    await until(
      `${more} more events are collected`,
      async () => await this.collected() >= before + more,
    );
  }

  /** Why the collector ended; `undefined` while it runs. */
  ended(): string | undefined {
    for (const { name } of Deno.readDirSync(this.path("state/xftrace"))) {
      if (!name.startsWith("vm-")) continue;
      try {
        const text = Deno.readTextFileSync(
          this.path(`state/xftrace/${name}/result.json`),
        );
        const { reason }: { reason: string } = JSON.parse(text);
        return reason;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    return undefined;
  }

  /** What the collectors say, for the message of a test that fails. */
  log(): string {
    return this.left().map((name) =>
      Deno.readTextFileSync(this.path(`state/xftrace/${name}/collector.log`))
    ).join("");
  }

  /** Waits until the collector has noticed that its guest is gone. */
  async noticed(): Promise<void> {
    try {
      await until("the collector ends", () => this.ended() !== undefined);
    } catch (error) {
      console.log(this.log());
      throw error;
    }
  }

  /** Folders of traces that were not ended. */
  left(): string[] {
    return [...Deno.readDirSync(this.path("state/xftrace"))]
      .map(({ name }) => name).filter((name) => name.startsWith("vm-"));
  }

  /** Starts to collect in the background, to follow, and to run a query. */
  async begin(): Promise<Followers> {
    await this.ok("on", "--plain", "--depth", "3", "vfs_read");
    const show = this.start("show");
    const query = this.start(
      "eval",
      'trace("vfs_read").until("10m").count()',
    );
    await this.collects(20);
    return { show, query };
  }
}

/** Commands that follow a guest until something happens to it. */
export interface Followers {
  readonly show: Deno.ChildProcess;
  readonly query: Deno.ChildProcess;
}

/**
 * Asserts that both have told what happened, with what they had read before.
 *
 * @param left what the query says of what it had set, if that is still set
 */
export async function assertTold(
  { show, query }: Followers,
  what: RegExp,
  left?: RegExp,
): Promise<void> {
  const shown = await ended(show);
  assertOneClearError(shown, what, 69);
  assert.match(shown.err, /^[\d,]+ events, 0 lost$/m);
  assertGraph(shown.out);
  const counted = await ended(query);
  if (left === undefined) assertOneClearError(counted, what, 69);
  else {
    assert.match(counted.err, left);
    const [, ...others] = counted.err.split(left);
    assertOneClearError({ ...counted, err: others.join("") }, what, 69);
  }
  assert.match(counted.err, / events, 0 lost/);
  assert.ok(Number(counted.out.trim()) > 0, counted.out);
}

/** Asserts that a text is a trace of vfs_read alone, with nothing else in it. */
export function assertGraph(text: string): void {
  const lines = text.split("\n").filter((line) => /\(\)/.test(line));
  assert.ok(lines.length > 5, text);
  for (const line of lines) {
    assert.match(line, /\|\s+(vfs_|do_sys_|\} \/\* (vfs_|do_sys_))\w*/, line);
  }
}

/** Asserts that `off` says what happened, and has written what there was. */
export function assertOffTold(user: FaultUser, off: Run, what: RegExp): void {
  assertOneClearError(off, what, 69);
  assert.match(off.err, /trace_graph\.txt holds what was collected until then/);
  assert.match(off.out, /lost: 0/);
  assertGraph(user.text());
  assert.deepEqual(user.left(), []);
}
