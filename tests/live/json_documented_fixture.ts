/**
 * Checks that commands print the JSON that docs/json.md describes. The type
 * checker compares its types with the printed values, and finds members that
 * are missing, have another type, or are not documented.
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

/** Runs commands with `--json`; returns outputs by their documented type. */
export async function printed(
  commands: readonly (readonly [type: string, args: readonly string[]])[],
): Promise<[string, Run][]> {
  const runs: [string, Run][] = [];
  for (const [type, args] of commands) {
    runs.push([type, await xftrace([...args, "--json"])]);
  }
  return runs;
}

/** Asserts that every output has its documented type. */
export async function assertDocumented(
  runs: readonly (readonly [type: string, run: Run])[],
): Promise<void> {
  const values = runs.map(([type, { out, err }], index) => {
    assert.notEqual(out, "", `${type}: ${err}`);
    // In a literal, the type checker also refuses unknown members.
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
