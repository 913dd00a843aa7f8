import assert from "node:assert/strict";
import { VERSION } from "./version.ts";

Deno.test("the version is the one that deno.json states", () => {
  const config: unknown = JSON.parse(
    Deno.readTextFileSync(new URL("../../deno.json", import.meta.url)),
  );
  assert.ok(typeof config === "object" && config !== null);
  assert.equal(VERSION, "version" in config ? config.version : undefined);
});
