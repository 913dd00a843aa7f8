import assert from "node:assert/strict";
import { toldByFile } from "../ask_guest.ts";
import { builtModules, keepBuiltModule } from "../check_state.ts";
import { moduleFiles } from "../module_files.ts";

/** Runs `body` with a temporary state folder. */
function withState(body: (folder: string) => void): void {
  const before = Deno.env.get("XDG_STATE_HOME");
  const folder = Deno.makeTempDirSync();
  try {
    Deno.env.set("XDG_STATE_HOME", folder);
    body(folder);
  } finally {
    if (before === undefined) Deno.env.delete("XDG_STATE_HOME");
    else Deno.env.set("XDG_STATE_HOME", before);
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("modules built here are kept, each build once", () => {
  withState((folder) => {
    assert.deepEqual(builtModules(), []);
    keepBuiltModule(new Uint8Array([1]));
    keepBuiltModule(new Uint8Array([2]));
    keepBuiltModule(new Uint8Array([2]));
    const kept = builtModules();
    assert.equal(kept.length, 2);
    for (const path of kept) {
      assert.ok(path.startsWith(folder));
      assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    }
    // A folder without a module, left by an interrupted write, is skipped.
    Deno.mkdirSync(`${folder}/xftrace/modules/half`);
    assert.deepEqual(builtModules(), kept);
  });
});

Deno.test("module files are found by the name that the kernel uses", () => {
  withState((folder) => {
    Deno.mkdirSync(`${folder}/kernel/net`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/kernel/net/nf-tables.ko`, "no ELF");
    const files = moduleFiles([folder]);
    assert.deepEqual(files("veth"), []);
    assert.throws(
      () => files("nf_tables"),
      /nf-tables\.ko is no module of a kernel/,
    );
    assert.throws(() => moduleFiles([`${folder}/none`]), /cannot be read/);
    Deno.mkdirSync(`${folder}/empty`);
    assert.throws(
      () => moduleFiles([`${folder}/empty`]),
      /there is no module .* give a module's file or a folder/,
    );
  });
});

Deno.test("two builds of one module are both tried", () => {
  withState(() => {
    keepBuiltModule(new Uint8Array([1]));
    keepBuiltModule(new Uint8Array([2]));
    assert.throws(
      () => moduleFiles(builtModules())("xftrace"),
      /xftrace\.ko is no module of a kernel/,
    );
  });
});

Deno.test("tracefs settings are read from the output of grep", () => {
  const file = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(
      file,
      "tracing_on:1\nset_graph_function:vfs_read\nset_graph_function:vfs_open\n/sys/kernel/tracing/current_tracer:nop\n",
    );
    assert.deepEqual([...toldByFile(file)], [
      ["tracing_on", "1\n"],
      ["set_graph_function", "vfs_read\nvfs_open\n"],
      ["current_tracer", "nop\n"],
    ]);
    Deno.writeTextFileSync(file, "1\n");
    assert.throws(() => toldByFile(file), /holds nothing of tracefs; make it/);
  } finally {
    Deno.removeSync(file);
  }
});
