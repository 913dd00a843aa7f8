/**
 * Lists every import in the code as Deno resolves it: static, type-only,
 * re-exports and `import()` of a plain string.
 *
 * @module
 */
import { z } from "zod";
import { CHECKOUT } from "./files.ts";
import type { Import } from "./rules.ts";

const Resolved = z.object({
  specifier: z.string().optional(),
  error: z.string().optional(),
  span: z.object({ start: z.object({ line: z.number() }) }),
});

/** The part of `deno info --json` that matters here. */
const Graph = z.object({
  modules: z.array(z.object({
    specifier: z.string(),
    error: z.string().optional(),
    dependencies: z.array(z.object({
      specifier: z.string(),
      code: Resolved.optional(),
      type: Resolved.optional(),
    })).optional(),
  })),
});

/**
 * The imports of these files of the checkout.
 *
 * @throws {Error} when Deno cannot read one of them.
 */
export async function importsOf(paths: readonly string[]): Promise<Import[]> {
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const lines = paths.map((path) => `import "${urlOf(path)}";`);
    await Deno.writeTextFile(entry, lines.join("\n"));
    const { success, stdout, stderr } = await new Deno.Command(
      Deno.execPath(),
      {
        args: ["info", "--json", entry],
        cwd: CHECKOUT,
        env: { NO_COLOR: "1" },
      },
    ).output();
    if (!success) {
      throw new Error(`deno info: ${new TextDecoder().decode(stderr).trim()}`);
    }
    return parseGraph(new TextDecoder().decode(stdout), new Set(paths));
  } finally {
    await Deno.remove(entry);
  }
}

/**
 * Parses the output of `deno info --json`; keeps the imports of `paths` only.
 */
export function parseGraph(
  json: string,
  paths: ReadonlySet<string>,
): Import[] {
  const imports: Import[] = [];
  for (const module of Graph.parse(JSON.parse(json)).modules) {
    const from = pathOf(module.specifier);
    if (!paths.has(from)) continue;
    if (module.error !== undefined) throw new Error(module.error);
    for (const { specifier, code, type } of module.dependencies ?? []) {
      const resolved = code ?? type;
      if (resolved === undefined) continue;
      imports.push({
        from,
        line: resolved.span.start.line + 1,
        specifier,
        to: pathOf(resolved.specifier ?? specifier),
      });
    }
  }
  return imports;
}

function urlOf(path: string): string {
  return new URL(`file://${CHECKOUT}/${path}`).href;
}

/** The URL as a path in the checkout, if it is one; otherwise the URL. */
function pathOf(url: string): string {
  const base = urlOf("");
  return url.startsWith(base) ? decodeURI(url.slice(base.length)) : url;
}
