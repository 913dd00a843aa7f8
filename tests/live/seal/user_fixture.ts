/**
 * Runs the command `xftrace` like a user of the sealed tracer.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Guest } from "../../../lab/mod.ts";
import type { SealedOff } from "../../../scripts/cli/off/sealed.ts";
import { Scratch } from "./support_fixture.ts";
import { ended, type Run, startXftrace, TRACEFS } from "../support_fixture.ts";

/** Files that must have their old content after `off`. */
const FILES = [
  "tracing_on",
  "current_tracer",
  "set_graph_function",
  "set_ftrace_filter",
  "trace_clock",
  "buffer_size_kb",
  "events/sched/sched_switch/enable",
];

/** Runs the command with its own home and folder. */
export class User implements Disposable {
  readonly #scratch = new Scratch();
  readonly #guest: Guest;

  constructor(guest: Guest) {
    this.#guest = guest;
  }

  start(...args: string[]): Deno.ChildProcess {
    const { folder } = this.#scratch;
    return startXftrace(
      [...args, "-t", this.#guest.target],
      { XDG_STATE_HOME: `${folder}/state` },
      folder,
    );
  }

  async run(...args: string[]): Promise<Run> {
    return await ended(this.start(...args));
  }

  async ok(...args: string[]): Promise<string> {
    const { code, out, err } = await this.run(...args);
    assert.equal(code, 0, `${args.join(" ")}: ${err}${out}`);
    return out;
  }

  async off(): Promise<SealedOff & { verification: { clean: boolean } }> {
    return JSON.parse(await this.ok("off", "--json"));
  }

  path(name: string): string {
    return `${this.#scratch.folder}/${name}`;
  }

  text(): string {
    return Deno.readTextFileSync(this.path("trace_graph.txt"));
  }

  /** The content of the guest's own files. */
  async switches(): Promise<string[]> {
    const text = await this.#guest.sh(
      `cd ${TRACEFS}; for f in ${
        FILES.join(" ")
      }; do echo "$f:" $(cat $f); done`,
    );
    return text.trim().split("\n");
  }

  /** A file of the running trace. */
  kept(file: string): string {
    const [{ name }] = [...Deno.readDirSync(this.path("state/xftrace"))];
    return this.path(`state/xftrace/${name}/${file}`);
  }

  /** The collector's process. */
  get collector(): number {
    const state: { collector: number } = JSON.parse(
      Deno.readTextFileSync(this.kept("state.json")),
    );
    return state.collector;
  }

  /** Kills the collector, like a crash. */
  killCollector(): void {
    Deno.kill(this.collector, "SIGKILL");
  }

  /** Leaves the state of an `on` that was killed before its collector ran. */
  loseSpool(): void {
    this.killCollector();
    Deno.removeSync(this.kept("spool"));
  }

  [Symbol.dispose](): void {
    this.#scratch[Symbol.dispose]();
  }
}
