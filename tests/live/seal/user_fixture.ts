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

/** Where a user of the command works, if not in a folder of its own. */
export interface UserPlaces {
  /** In which the command runs. */
  readonly folder?: string;
  /** XDG_STATE_HOME. */
  readonly state?: string;
  /** Further variables. */
  readonly env?: Record<string, string>;
}

/** Runs the command with its own home and folder. */
export class User implements Disposable {
  readonly #scratch = new Scratch();
  readonly #guest: Guest;
  readonly #places: UserPlaces;

  constructor(guest: Guest, places: UserPlaces = {}) {
    this.#guest = guest;
    this.#places = places;
  }

  start(...args: string[]): Deno.ChildProcess {
    return this.startAnywhere(...args, "-t", this.#guest.target);
  }

  /** Starts a command that is not told which guest is meant. */
  startAnywhere(...args: string[]): Deno.ChildProcess {
    return startXftrace(
      args,
      { XDG_STATE_HOME: this.state, ...this.#places.env },
      this.folder,
    );
  }

  get folder(): string {
    return this.#places.folder ?? this.#scratch.folder;
  }

  get state(): string {
    return this.#places.state ?? `${this.#scratch.folder}/state`;
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
    return `${this.folder}/${name}`;
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

  /** The names of the folders of traces that are on. */
  traces(): string[] {
    try {
      return [...Deno.readDirSync(`${this.state}/xftrace`)]
        .map(({ name }) => name).filter((name) => name.startsWith("vm-"));
    } catch {
      return [];
    }
  }

  /** A file of the running trace. */
  kept(file: string): string {
    const [name] = this.traces();
    return `${this.state}/xftrace/${name}/${file}`;
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

  /** Waits until the collector that was killed has ended. */
  async gone(): Promise<void> {
    const stat = `/proc/${this.collector}/stat`;
    const runs = () => {
      try {
        // A zombie has closed its files.
        return !/\) Z /.test(Deno.readTextFileSync(stat));
      } catch {
        return false;
      }
    };
    while (runs()) await new Promise((resolve) => setTimeout(resolve, 20));
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
