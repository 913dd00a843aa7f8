/**
 * Checks the module's presence: that it is still what was first found, in
 * place, and called by Ftrace. Everything is read from guest memory; of the
 * guest's own statements, only its sealed answers to the host's nonces count.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { MemoryError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import { CONTROL, CPU, PAGE_MAGIC } from "./abi.ts";
import { type ControlPage, ringPages } from "./control_page.ts";
import {
  changeSince,
  type InstalledText,
  textDigest,
} from "./installed_text.ts";

/** Kinds of problems with the module. */
export type PresenceProblem =
  | "module gone"
  | "guest restarted"
  | "module text changed"
  | "module loaded again"
  | "control page changed"
  | "foreign control page"
  | "switched off"
  | "switched on"
  | "settings changed"
  | "handler replaced"
  | "not registered"
  | "not called"
  | "no heartbeat"
  | "foreign command"
  | "foreign key"
  | "key not taken as sent"
  | "head moved back"
  | "head moved ahead"
  | "not verified"
  | "ring moved";

/** Maximum number of foreign pages that are reported. */
const MOST_FOREIGN = 16;

/** What is found while a guest is restarting, as its last problem but one. */
export const STANDS_STILL =
  "the guest's clock stands still although its processors run, and the module's thread does not answer";

/** A problem with the module. */
export interface PresenceFinding {
  readonly problem: PresenceProblem;
  /** One sentence with the evidence. */
  readonly detail: string;
}

/**
 * How the host has switched the module: not used by this tracer; switched off
 * during a trace; switched on a moment ago, so that the module may still be
 * restoring its filter; on.
 */
export type Switched = "unused" | "off" | "going on" | "on";

/** What the host has configured, which the module repeats on its page. */
export interface PresenceSettings {
  /** XFT_SEAL_*. */
  readonly seal: number;
  readonly generation: number;
  /** CONFIG_FLAG; `undefined`: not known. */
  readonly flags?: number | undefined;
  /** Levels below a root; 0: all. `undefined`: not known. */
  readonly maxDepth?: number | undefined;
}

/** Watches a module, starting when this object is created. */
export class Presence {
  readonly #page: ControlPage;
  readonly #text: string;
  readonly #identity: string;
  readonly #handlers: { entry: bigint; return: bigint };
  /** GVA of the module's `struct fgraph_ops`. */
  readonly #ops: bigint;
  readonly #installed: InstalledText | undefined;
  /** GPAs of pages that earlier kernels left; unknown before the first search. */
  #left: Set<number> | undefined;

  /**
   * @param installed the record about the module, if the host loaded it itself
   */
  constructor(page: ControlPage, installed?: InstalledText) {
    this.#page = page;
    this.#installed = installed;
    this.#text = textDigest(page);
    this.#identity = this.#hashIdentity();
    this.#ops = page.u64(CONTROL.graph_ops);
    this.#handlers = {
      entry: page.u64(CONTROL.entry_handler),
      return: page.u64(CONTROL.return_handler),
    };
  }

  /** The record about the module, if the host loaded it itself. */
  get installed(): InstalledText | undefined {
    return this.#installed;
  }

  /** A hash over all words of the page that never change. */
  #hashIdentity(): string {
    const bytes = new Uint8Array(CONTROL.missing);
    this.#page.kernel.memory.read(this.#page.gpa, bytes);
    return createHash("sha256").update(bytes).digest("hex");
  }

  /**
   * The checks that need only a few reads.
   *
   * @param switched how the host has switched the module
   * @param settings what the host has configured
   */
  quick(
    switched: Switched,
    settings?: PresenceSettings,
  ): PresenceFinding[] {
    const findings: PresenceFinding[] = [];
    const add = (problem: PresenceProblem, detail: string) => {
      findings.push({ problem, detail });
    };
    const page = this.#page;
    if (page.u64(CONTROL.magic) !== PAGE_MAGIC) {
      add("module gone", "the control page is no longer in use");
      return findings;
    }
    if (this.#hashIdentity() !== this.#identity) {
      add("control page changed", "its address, number or sizes are others");
    }
    if (settings !== undefined) {
      const changed = (
        [
          ["seal", page.u32(CONTROL.seal), settings.seal],
          ["generation", page.number(CONTROL.generation), settings.generation],
          ["flags", page.u32(CONTROL.flags), settings.flags],
          ["max_depth", page.u32(CONTROL.max_depth), settings.maxDepth],
        ] as const
      ).filter(([, is, was]) => was !== undefined && is !== was);
      if (changed.length > 0) {
        add(
          "settings changed",
          changed.map(([name, is, was]) => `${name} ${is} instead of ${was}`)
            .join(", "),
        );
      }
    }
    if (switched === "unused") return findings;
    const enabled = page.u32(CONTROL.enabled) === 1;
    if (switched === "off") {
      if (enabled) add("switched on", "the guest has set xft_control.enabled");
    } else if (!enabled) {
      add("switched off", "the guest has cleared xft_control.enabled");
    } else if (switched === "on" && page.u32(CONTROL.parked) !== 0) {
      add(
        "switched off",
        "the module says that it is parked, and its filter is not in place",
      );
    }
    if (page.u32(CONTROL.registered) !== 1) {
      add("not registered", "the module says that it is not registered");
    }
    try {
      findings.push(...this.#registration());
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error;
      add(
        "not registered",
        `what Ftrace knows of the module cannot be read: ${error.message}`,
      );
    }
    return findings;
  }

  /**
   * Whether Ftrace calls the module's handlers, according to Ftrace's own data.
   */
  #registration(): PresenceFinding[] {
    const { kernel } = this.#page;
    const { symbols, types, space } = kernel;
    const findings: PresenceFinding[] = [];
    const ops = this.#ops;
    const pidFunction = symbols.tryAddress("fgraph_pid_func");
    const member = (name: string) =>
      space.u64(ops + BigInt(types.offset("fgraph_ops", name)));
    const expect = (where: string, value: bigint, wanted: bigint) => {
      if (value === wanted || value === pidFunction) return;
      findings.push({
        problem: "handler replaced",
        detail: `${where} is ${hex(value)} and not the module's ${hex(wanted)}`,
      });
    };
    expect("fgraph_ops.entryfunc", member("entryfunc"), this.#handlers.entry);
    expect("fgraph_ops.retfunc", member("retfunc"), this.#handlers.return);
    const array = symbols.tryAddress("fgraph_array");
    if (array !== undefined) {
      const size = symbols.lookup(array)?.size ?? 128;
      let found = false;
      for (let at = 0; at < Math.min(size, 512); at += 8) {
        if (space.u64(array + BigInt(at)) === ops) found = true;
      }
      if (!found) {
        findings.push({
          problem: "not registered",
          detail: "fgraph_array has no entry for the module",
        });
      }
      return findings;
    }
    // Kernels that allow one user only: the two variables that the trampolines
    // call.
    const variable = (name: string) => {
      const at = symbols.tryAddress(name);
      return at === undefined ? undefined : space.u64(at);
    };
    const entry = variable("ftrace_graph_entry");
    const saved = variable("__ftrace_graph_entry");
    const test = symbols.tryAddress("ftrace_graph_entry_test");
    if (entry !== undefined && !(entry === test && entry !== undefined)) {
      expect("ftrace_graph_entry", entry, this.#handlers.entry);
    }
    if (saved !== undefined) {
      expect("__ftrace_graph_entry", saved, this.#handlers.entry);
    }
    const back = variable("ftrace_graph_return");
    if (back !== undefined) {
      expect("ftrace_graph_return", back, this.#handlers.return);
    }
    return findings;
  }

  /**
   * Searches all memory for other pages that look like the control page.
   *
   * A guest's restart, or a kexec, does not clear its memory, so the page of an
   * earlier kernel's module may be left in it. The first search takes for that
   * what has another module's random number and lies where no address leads by
   * its own account: neither the module nor the host can come to use it. What
   * appears later, or is mapped by then, was put there.
   */
  search(): PresenceFinding[] {
    const { pages, more } = this.#page.foreignPages();
    const first = this.#left === undefined;
    const left = this.#left ??= new Set();
    const foreign = pages.filter(({ gpa, own, mapped }) => {
      if (own || mapped) return true;
      if (first) left.add(gpa);
      return !left.has(gpa);
    });
    const findings = foreign.slice(0, MOST_FOREIGN).map(({ gpa }) => ({
      problem: "foreign control page" as const,
      detail: `a page at GPA ${hex(gpa)} claims to be the control page`,
    }));
    if (more || foreign.length > MOST_FOREIGN) {
      findings.push({
        problem: "foreign control page",
        detail:
          "the guest's memory holds the control page's magic number so often that not all places were looked at",
      });
    }
    return findings;
  }

  /** Whether the module is still what the host loaded. */
  #sinceInstalled(digest: string): PresenceFinding[] {
    if (this.#installed === undefined) return [];
    const { since } = this.#installed;
    const { start, end } = this.#page.module.text;
    switch (changeSince(this.#installed, this.#page, digest)) {
      case undefined:
        return [];
      case "text changed":
        return [{
          problem: "module text changed",
          detail: `code between ${hex(start)} and ${
            hex(end)
          } is not what was installed (${since})`,
        }];
      case "loaded again":
        return [{
          problem: "module loaded again",
          detail:
            `the module that was installed (${since}) was unloaded since, or the guest restarted; what is loaded now was not loaded by the host`,
        }];
    }
  }

  /** The checks that read the module's text and the page tables. */
  full(): PresenceFinding[] {
    const findings: PresenceFinding[] = [];
    const page = this.#page;
    const { kernel } = page;
    kernel.live.refresh();
    if (!kernel.live.modules.some((m) => m.gva === page.module.gva)) {
      findings.push({
        problem: "module gone",
        detail: "the kernel's list of modules has it no more",
      });
    }
    try {
      const digest = textDigest(page);
      if (digest !== this.#text) {
        findings.push({
          problem: "module text changed",
          detail: `code between ${hex(page.module.text.start)} and ${
            hex(page.module.text.end)
          } is not what it was`,
        });
      }
      findings.push(...this.#sinceInstalled(digest));
      if (kernel.space.translate(page.gva).gpa !== page.gpa) {
        findings.push({
          problem: "control page changed",
          detail: "its address leads to another page now",
        });
      }
      for (const area of page.cpus) {
        const ring = BigInt(page.cpuNumber(area, CPU.ring));
        const pages = ringPages(kernel, area.ring, area.entries);
        // A GVA does not fit into a Number exactly, but its low bits are zeros
        // here.
        if (
          Number(ring) !== Number(area.ring) ||
          pages.some((gpa, i) => gpa !== area.pages[i])
        ) {
          findings.push({
            problem: "ring moved",
            detail: `the ring of CPU ${area.cpu} lies elsewhere now`,
          });
        }
      }
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error;
      findings.push({
        problem: "module gone",
        detail: "its memory is not mapped any more",
      });
    }
    return findings;
  }
}
