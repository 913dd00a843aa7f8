/**
 * The colours in which functions are drawn.
 *
 * @module
 */
import type { PageTrace } from "../engine/output/page/data.ts";
import { colour } from "./theme.ts";

/** Colours of names, for one drawing. */
export class Paint {
  readonly ink: string = colour("--frame-ink");
  readonly text: string = colour("--ink");
  readonly quiet: string = colour("--quiet");
  readonly line: string = colour("--line");
  readonly paper: string = colour("--raised");
  readonly bad: string = colour("--bad");
  readonly foreign: string = colour("--frame-foreign");
  readonly found: string = colour("--found");
  readonly accent: string = colour("--accent");
  readonly #module = colour("--frame-module");
  readonly #dark = colour("--dark") === "1";
  readonly #names: readonly string[];
  readonly #colours: string[] = [];

  constructor({ names }: PageTrace) {
    this.#names = names;
  }

  /** The colour of a function or event. */
  of(name: number): string {
    return this.#colours[name] ??= this.#make(this.#names[name] ?? "");
  }

  /** A colour for a thread. */
  ofThread(thread: number): string {
    return this.#hue(thread * 47 % 360);
  }

  #make(name: string): string {
    if (name.endsWith("]")) return this.#module;
    let hash = 0;
    for (let i = 0; i < name.length; i++) {
      hash = hash * 31 + name.charCodeAt(i) | 0;
    }
    // From yellow to orange: red is for what is foreign, violet for modules.
    return this.#hue(28 + Math.abs(hash) % 140);
  }

  #hue(hue: number): string {
    return this.#dark ? `hsl(${hue} 38% 34%)` : `hsl(${hue} 58% 76%)`;
  }
}

const kept = new WeakMap<PageTrace, Set<number>>();

/** The names of functions that are foreign. */
export function foreignNames(trace: PageTrace): ReadonlySet<number> {
  let names = kept.get(trace);
  if (names === undefined) {
    // The kernel's own functions may be called by others as well.
    names = new Set(
      trace.foreign.map(({ node }) => trace.tree.name[node])
        .filter((name) => /^0x|\]$/.test(trace.names[name])),
    );
    kept.set(trace, names);
  }
  return names;
}
