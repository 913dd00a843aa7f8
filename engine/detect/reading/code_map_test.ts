import assert from "node:assert/strict";
import { ModuleGuest } from "../core/module_fixture.ts";
import { CodeMap } from "./code_map.ts";

Deno.test("code of a module whose symbols are gone has the module's name", () => {
  const it = new ModuleGuest(false);
  const [one, two] = ["one", "two"].map((name, i) => it.load(name, i));
  it.unlink(two);
  const { kernel } = it.guest;
  // The fixture's symbols do not follow its modules.
  Object.defineProperty(kernel.live, "refresh", { value: () => {} });
  const code = new CodeMap(kernel);
  const at = (module: bigint) => code.at(module - 0x1000n + 0x10n);
  assert.deepEqual([at(one).kind, at(one).name], [
    "module",
    "module one at 0xffffffffc0100010",
  ]);
  assert.deepEqual([at(two).kind, at(two).name, at(two).module?.name], [
    "hidden module",
    "hidden module two at 0xffffffffc0110010",
    "two",
  ]);
  assert.equal(
    code.at(0xffffffffc0300000n).name,
    "unknown code at 0xffffffffc0300000",
  );
});
