/**
 * Finds exports of the library without an example. Pure.
 *
 * @module
 */
import { z } from "zod";

/** The part of `deno doc --json` that matters here. */
const Documentation = z.object({
  nodes: z.record(
    z.string(),
    z.object({
      symbols: z.array(z.object({
        name: z.string(),
        declarations: z.array(z.object({
          kind: z.string(),
          location: z.object({ filename: z.string(), line: z.number() }),
          jsDoc: z.object({
            tags: z.array(z.object({ kind: z.string() })).optional(),
          }).optional(),
        })),
      })).optional(),
    }),
  ),
});

/** Kinds of exports that need an example; types do not. */
const SHOWN = new Set(["function", "class", "variable"]);

/** An export without an example. */
export interface WithoutExample {
  readonly name: string;
  /** URL of its file. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/**
 * The functions, classes and constants that have no `@example`. Of overloads,
 * one is enough.
 *
 * @param json the output of `deno doc --json` for the library's entries
 * @param alike files whose exports are all alike, and need one example together
 */
export function withoutExample(
  json: string,
  alike: RegExp,
): WithoutExample[] {
  const found: WithoutExample[] = [];
  const { nodes } = Documentation.parse(JSON.parse(json));
  for (const { symbols } of Object.values(nodes)) {
    for (const { name, declarations } of symbols ?? []) {
      const shown = declarations.filter(({ kind, location }) =>
        SHOWN.has(kind) && !alike.test(location.filename)
      );
      const has = shown.some(({ jsDoc }) =>
        jsDoc?.tags?.some(({ kind }) => kind === "example")
      );
      if (shown.length === 0 || has) continue;
      const { filename, line } = shown[0].location;
      found.push({ name, file: filename, line: line + 1 });
    }
  }
  return found;
}
