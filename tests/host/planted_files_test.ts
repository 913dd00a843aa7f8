/** Files, links and folders that another user has put in root's way. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { makeOwnFolder } from "../../engine/base/host_file/folder.ts";
import { writeOutput } from "../../engine/base/host_file/output.ts";
import { SpoolReader } from "../../engine/ftrace/ring/spool.ts";
import { Klog } from "../../engine/seal/keys/klog.ts";
import { RecordingWriter } from "../../engine/seal/recording/recording.ts";
import { openInstance } from "../../engine/ftrace/mod.ts";
import { open } from "../../mod.ts";
import { ask } from "../../scripts/collector/protocol.ts";
import { StateFolder } from "../../scripts/collector/state.ts";
import { Ground, hostTest, OTHER, xftrace } from "./other_user_fixture.ts";

const CORE = new URL("../../testdata/guest-6.1.core.zst", import.meta.url)
  .pathname;

hostTest("outputs: another user's link, FIFO or file takes nothing", () => {
  using ground = new Ground();
  const victim = join(ground.path, "victim");
  writeFileSync(victim, "precious");
  ground.they(
    `cd ${ground.shared}; ln -s ${victim} link; ln -s ../made dangling; ` +
      "mkfifo fifo; echo theirs > file; chmod 666 file",
  );
  for (const [name, why] of [["link", "a symbolic link"], ["fifo", "a FIFO"]]) {
    const { status, err } = xftrace(
      ["report", "-t", `core:${CORE}`, "-o", join(ground.shared, name)],
    );
    assert.equal(status, 1);
    assert.match(
      err,
      new RegExp(`cannot write .*/${name}: it is ${why} of another user`),
    );
  }
  assert.throws(
    () => writeOutput(join(ground.shared, "dangling"), "x"),
    /a symbolic link of another user/,
  );
  assert.equal(readFileSync(victim, "utf8"), "precious");
  assert.deepEqual(readdirSync(ground.path).sort(), [
    "bin",
    "shared",
    "theirs",
    "victim",
  ]);
  // Their file is replaced by ours, not written to.
  writeOutput(join(ground.shared, "file"), "ours");
  const { uid, mode } = statSync(join(ground.shared, "file"));
  assert.deepEqual([uid, mode & 0o777], [0, 0o600]);
  assert.equal(readdirSync(ground.shared).length, 4);
});

hostTest(
  "key logs and recordings: not through another user's links, nor theirs",
  () => {
    using ground = new Ground();
    const victim = join(ground.path, "victim");
    writeFileSync(victim, "precious", { mode: 0o600 });
    ground.they(
      `cd ${ground.shared}; ln -s ${victim} link; ln -s ${victim} a.klog.head; ` +
        "mkfifo fifo; (umask 077; : > theirs)",
    );
    const header = {
      seal: 3,
      nonce: "00",
      generation: 1,
      klog: "a",
      target: "t",
      release: "r",
      started: "s",
    };
    for (const name of ["link", "fifo", "theirs"]) {
      const path = join(ground.shared, name);
      assert.throws(() => new Klog(path), /another user/);
      if (name === "theirs") continue;
      // deno-fmt-ignore
      assert.throws(
      () => Reflect.apply(RecordingWriter.create, RecordingWriter, [path, header]),
      /another user/,
    );
    }
    assert.throws(
      () => new Klog(join(ground.shared, "a.klog")),
      /another user/,
    );
    assert.equal(readFileSync(victim, "utf8"), "precious");
  },
);

hostTest(
  "state: what another user has planted is neither read nor written",
  async () => {
    using ground = new Ground();
    const key = "vm-1-2";
    ground.they(
      `mkdir -p xftrace/${key}; echo '{"format":2}' > xftrace/${key}/state.json; ` +
        `ln -s ${ground.theirs}/xftrace ${ground.shared}/xftrace`,
    );
    mkdirSync(join(ground.path, "own"), { mode: 0o700 });
    for (const base of [ground.theirs, ground.shared]) {
      const folder = new StateFolder(key, join(base, "xftrace"));
      assert.throws(() => folder.read(), /belongs to another user \(uid 65534/);
      assert.throws(() => folder.create(), /belongs to another user/);
      await assert.rejects(
        ask(folder.socket, { do: "status" }),
        /belongs to another user/,
      );
      const { status, err } = xftrace(["off", "-t", "qemu:gone"], {
        XDG_STATE_HOME: base,
      });
      assert.equal(status, 1);
      assert.match(err, /belongs to another user/);
    }
    // The same within a folder of root's own that holds their file.
    const base = join(ground.path, "own");
    const folder = new StateFolder(key, base);
    folder.create();
    Deno.writeTextFileSync(join(folder.path, "state.json"), "{}");
    Deno.chownSync(join(folder.path, "state.json"), OTHER, OTHER);
    assert.throws(() => folder.read(), /state\.json belongs to another user/);
    Deno.removeSync(join(folder.path, "state.json"));
    Deno.symlinkSync("/dev/zero", join(folder.path, "state.json"));
    assert.throws(
      () => folder.read(),
      /a symbolic link, which is not followed/,
    );
    assert.throws(
      () => makeOwnFolder(join(ground.theirs, "new")),
      /another user/,
    );
  },
);

hostTest("a spool of another user is not read", async () => {
  using ground = new Ground();
  ground.they("echo x > spool; mkfifo fifo");
  await using guest = await open(`core:${CORE}`);
  const { layout } = openInstance(guest.session);
  assert.throws(
    () => new SpoolReader(join(ground.theirs, "spool"), layout),
    /belongs to another user/,
  );
  assert.throws(
    () => new SpoolReader(join(ground.theirs, "fifo"), layout),
    /is a FIFO, not a regular file/,
  );
});

hostTest("the lab's cache is closed, whatever the umask", () => {
  using ground = new Ground();
  // Deno keeps its own files there, and would make it first.
  mkdirSync(join(ground.path, "cache"), { mode: 0o700 });
  const paths = new URL("../../lab/host/paths.ts", import.meta.url);
  const { status, stderr } = spawnSync("bash", [
    "-c",
    'umask 000; exec "$@"',
    "bash",
    Deno.execPath(),
    "eval",
    `import { cacheDirectory } from "${paths}"; cacheDirectory();`,
  ], {
    encoding: "utf8",
    env: { ...Deno.env.toObject(), XDG_CACHE_HOME: join(ground.path, "cache") },
  });
  assert.equal(status, 0, stderr);
  for (const folder of ["cache", "cache/xftrace", "cache/xftrace/lab"]) {
    assert.equal(statSync(join(ground.path, folder)).mode & 0o077, 0);
  }
});

hostTest("the lab's folders are this user's own", () => {
  using ground = new Ground();
  const name = `xftrace-lab-${Deno.uid()}`;
  ground.they(`mkdir ${name}; ln -s ${ground.theirs} ${ground.shared}/${name}`);
  mkdirSync(join(ground.path, name));
  chmodSync(join(ground.path, name), 0o777);
  const run = (folder: string) =>
    spawnSync(Deno.execPath(), [
      "eval",
      `import { runDirectory } from "${new URL(
        "../../lab/host/paths.ts",
        import.meta.url,
      )}"; console.log(runDirectory());`,
    ], {
      encoding: "utf8",
      env: { ...Deno.env.toObject(), XDG_RUNTIME_DIR: folder },
    });
  for (const folder of [ground.theirs, ground.shared]) {
    const { status, stderr } = run(folder);
    assert.equal(status, 1);
    assert.match(stderr, /is no folder of your own/);
  }
  // Theirs could be exchanged on the way, by themselves or by a link.
  ground.they(`mkdir free; ln -s ${ground.path} ${ground.shared}/way`);
  mkdirSync(join(ground.theirs, "free", name), { mode: 0o700 });
  for (const folder of ["theirs/free", "shared/way"]) {
    const { status, stderr } = run(join(ground.path, folder));
    assert.equal(status, 1);
    assert.match(stderr, /is no folder of your own/);
  }
  assert.equal(run(ground.path).status, 0);
  assert.equal(lstatSync(join(ground.path, name)).mode & 0o777, 0o700);
});
