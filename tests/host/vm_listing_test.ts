/** Attacks on whoever lists VMs, by processes of another user. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Ground, hostTest, MAP_RAM, xftrace } from "./other_user_fixture.ts";

const LIST = z.array(z.object({
  target: z.string(),
  pid: z.number(),
  user: z.string(),
  attachable: z.boolean(),
  whyNot: z.string().nullable(),
}));

/** What `xftrace ps` lists of the processes of an attack. */
function listed({ pids }: Ground) {
  const { status, out, err } = xftrace(["ps", "--json"]);
  assert.equal(status, 0, err);
  return LIST.parse(JSON.parse(out)).filter(({ pid, user }) =>
    pids.includes(pid) && user === "nobody"
  );
}

hostTest(
  "-readconfig of another user's process: no file holds or fills",
  async () => {
    using ground = new Ground();
    ground.they(
      "mkfifo fifo; truncate -s 64G large; ln -s /dev/zero zero; mkdir folder; " +
        "printf '[memory]\\n  size = \"1G\"\\n' > true.cfg",
    );
    const kernelFiles = ["/proc/kmsg", "/sys/kernel/tracing/trace_pipe"];
    for (
      const path of [
        "fifo",
        "large",
        "zero",
        "folder",
        "/dev/zero",
        "/dev/tty",
        ...kernelFiles,
        "none\nqemu:forged  1  root  qemu  kvm  q35  1 GiB  memfd",
      ]
    ) await ground.qemu(["-name", "evil", "-readconfig", path]);
    const good = await ground.qemu(
      ["-name", "good", "-readconfig", "true.cfg"],
      MAP_RAM,
    );
    const vms = listed(ground);
    assert.equal(vms.length, 10);
    for (const { pid, attachable, whyNot } of vms) {
      assert.ok(!attachable);
      // A file without a size says nothing, and no RAM of its own is found then.
      assert.match(
        whyNot ?? "",
        pid === good ? /134217728|1073741824 bytes/ : /readconfig|not found/,
      );
    }
    const { out } = xftrace(["ps"]);
    assert.doesNotMatch(out, /^qemu:forged/m);
    assert.match(out, /nobody/);
  },
);

hostTest(
  "a command line of another user's process, however large",
  async () => {
    using ground = new Ground();
    // Many files, nested JSON, and more backends than mappings.
    const config = '[object "a"]\n'.repeat(70_000);
    ground.they(
      `head -c 900000 /dev/zero | tr '\\0' '[' > big.cfg; mkfifo ram`,
    );
    assert.ok(config.length > 0);
    await ground.qemu(
      Array.from({ length: 4000 }, () => ["-readconfig", "big.cfg"]).flat(),
    );
    await ground.qemu(["-object", '{"a":'.repeat(20_000)]);
    await ground.qemu(
      Array.from({ length: 3000 }, (_, i) => [
        "-object",
        `memory-backend-ram,id=m${i},size=1M`,
        "-numa",
        `node,memdev=m${i}`,
      ]).flat(),
    );
    await ground.qemu([
      "-object",
      "memory-backend-file,id=m,size=128M,share=on,mem-path=ram",
      "-machine",
      "q35,memory-backend=m",
    ]);
    for (const { attachable } of listed(ground)) assert.ok(!attachable);
  },
);

hostTest(
  "names of another user's processes are not executed, and forge no row",
  async () => {
    using ground = new Ground();
    const names = [
      "a$(touch PWNED)",
      "a`touch PWNED`",
      "a;touch PWNED",
      "web 1",
      "x\nqemu:forged  1  root",
      "\x1b[2Jclear",
    ];
    const args = (name: string) => ["-M", "q35", "-m", "128", "-name", name];
    for (const name of names) await ground.qemu(args(name), MAP_RAM);
    const plain = await ground.qemu(args("plain"), MAP_RAM);
    const vms = listed(ground);
    assert.equal(vms.length, names.length + 1);
    for (const { pid, target, attachable, whyNot } of vms) {
      assert.ok(attachable, whyNot ?? "");
      assert.equal(target, pid === plain ? "qemu:plain" : `pid:${pid}`);
    }
    const { out } = xftrace(["ps"]);
    assert.equal(/[^\x20-\x7e\n]/.test(out), false);
    assert.doesNotMatch(out, /forged/);
    assert.doesNotMatch(
      xftrace(["completions", "targets"]).out,
      /PWNED|forged/,
    );

    const script = join(ground.path, "completion.bash");
    Deno.writeTextFileSync(script, xftrace(["completions", "bash"]).out);
    const command =
      new URL("../../scripts/xftrace.ts", import.meta.url).pathname;
    const line = "xftrace info -t q";
    const completed = spawnSync("bash", [
      "-c",
      `xftrace() { '${Deno.execPath()}' run -A '${command}' "$@"; }
compopt() { :; }
source '${script}'
COMP_LINE='${line}' COMP_POINT=${line.length} COMP_WORDBREAKS=' '
_xftrace; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ], { encoding: "utf8", cwd: ground.path });
    assert.match(completed.stdout, /^qemu:plain$/m);
    assert.doesNotMatch(completed.stdout, /PWNED/);
    assert.ok(!existsSync(join(ground.path, "PWNED")));
  },
);

hostTest(
  "the memory of another user's process is what the kernel says",
  async () => {
    using ground = new Ground();
    // A file of root, which the process says that it has mapped.
    const secret = join(ground.path, "secret");
    Deno.writeFileSync(secret, new Uint8Array(4096).fill(7), { mode: 0o600 });
    Deno.truncateSync(secret, 134217728);
    ground.they("truncate -s 134217728 ram; ln -s ../secret link");
    const map = (path: string) =>
      `open(my $f, '+<', '${path}') or die; ` +
      "syscall(9, 0, 134217728, 3, 1, fileno($f), 0) != -1 or die; close($f)";
    const backend = (path: string) => [
      "-M",
      "q35,memory-backend=m",
      "-m",
      "128",
      "-object",
      `memory-backend-file,id=m,size=128M,share=on,mem-path=${path}`,
    ];
    // Its own file, whose name leads to root's by now.
    const pid = await ground.qemu(
      ["-name", "swapped", ...backend(join(ground.theirs, "ram"))],
      map("ram") + "; unlink('ram'); symlink('../secret', 'ram')",
    );
    // It names root's file, and has mapped none.
    const other = await ground.qemu(["-name", "named", ...backend("link")]);
    const before = readFileSync(secret);
    const swapped = xftrace(["info", "-t", `pid:${pid}`]);
    assert.notEqual(swapped.status, 0);
    const vm = listed(ground).find((each) => each.pid === other);
    assert.match(vm?.whyNot ?? "", /not found among the process's mappings/);
    // Root's file is not taken for the memory of the process that names it.
    const file = xftrace(["info", "-t", `file:${secret}`]);
    assert.doesNotMatch(file.err, /pid:|qemu:/);
    assert.ok(before.equals(readFileSync(secret)));
  },
);

hostTest(
  "a monitor of another user, or one that never answers, is left alone",
  async () => {
    using ground = new Ground();
    const socket = join(ground.theirs, "qmp");
    const listen =
      "use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, " +
      `Local => '${socket}', Listen => 5) or die`;
    const pid = await ground.qemu(
      ["-name", "silent", "-M", "xenfv", "-qmp", `unix:${socket},server=on`],
      listen,
    );
    const { status, err } = xftrace(["info", "-t", `pid:${pid}`]);
    assert.notEqual(status, 0);
    assert.match(err, /machine type xenfv/);
    const { QmpClient } = await import("../../ffi/qmp.ts");
    assert.throws(
      () => new QmpClient(socket, undefined, pid + 1),
      new RegExp(`process ${pid} listens there, and not the VM's own`),
    );
    assert.throws(
      () => new QmpClient(socket, undefined, pid),
      /it serves another client/,
    );
  },
);
