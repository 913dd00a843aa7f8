import assert from "node:assert/strict";
import { modulesAlias, modulesDep, type PackedModule } from "./modules.ts";

function module(
  name: string,
  depends: string[],
  aliases: string[] = [],
): PackedModule {
  return {
    path: `kernel/${name}.ko`,
    name,
    data: new Uint8Array(),
    info: { depends, aliases },
  };
}

Deno.test("lists the dependencies of a module, the deepest last", () => {
  const modules = [
    module("a", ["b", "c"]),
    module("b", ["c"]),
    module("c", []),
    module("d", ["absent"]),
  ];
  assert.equal(
    modulesDep(modules),
    "kernel/a.ko: kernel/b.ko kernel/c.ko\n" +
      "kernel/b.ko: kernel/c.ko\n" +
      "kernel/c.ko:\n" +
      "kernel/d.ko:\n",
  );
});

Deno.test("lists other names of a module", () => {
  assert.equal(
    modulesAlias([module("ext4", [], ["fs-ext4"])]),
    "alias fs-ext4 ext4\n",
  );
});
