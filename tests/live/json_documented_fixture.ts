/**
 * Whether what commands print as JSON is what docs/json.md says: its types and
 * the printed values go through the type checker together, which finds members
 * that are missing, of another type, or not documented.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type Run, xftrace } from "./support_fixture.ts";

/** The types of docs/json.md. */
export async function documentedTypes(): Promise<string> {
  const path = new URL("../../docs/json.md", import.meta.url);
  const text = await Deno.readTextFile(path);
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code)
    .join("\n");
}

/** Runs commands with `--json`, by the documented type of what they print. */
export async function printed(
  commands: readonly (readonly [type: string, args: readonly string[]])[],
): Promise<[string, Run][]> {
  const runs: [string, Run][] = [];
  for (const [type, args] of commands) {
    runs.push([type, await xftrace([...args, "--json"])]);
  }
  return runs;
}

/** Asserts that every run's output is of its type. */
export async function assertDocumented(
  runs: readonly (readonly [type: string, run: Run])[],
): Promise<void> {
  const values = runs.map(([type, { out, err }], index) => {
    assert.notEqual(out, "", `${type}: ${err}`);
    // A literal: of these the type checker also refuses members too many.
    return `export const value${index}: ${type} = ${
      JSON.stringify(JSON.parse(out))
    };`;
  });
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      file,
      `${await documentedTypes()}\n${values.join("\n")}\n`,
    );
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "check",
        "--quiet",
        "--config",
        fileURLToPath(import.meta.resolve("../../deno.json")),
        file,
      ],
      env: { NO_COLOR: "1" },
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(file);
  }
}
