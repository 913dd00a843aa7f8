import assert from "node:assert/strict";
import { registers } from "../engine/arch/x86_64/registers.ts";
import { QEMU_10 } from "../engine/arch/x86_64/registers_fixture.ts";
import { BufferMemory } from "../engine/memory/buffer_memory_fixture.ts";
import type { VmProcess } from "../engine/targets/vm.ts";
import { askRegisters } from "./monitor.ts";
import { socketServer } from "./socket_server_fixture.ts";
import { withVirsh } from "./virsh_fixture.ts";

const LIMITS = { greeting: 200, answer: 200 };
const MEMORY = new BufferMemory(new Uint8Array(0x10000));

const VM: VmProcess = {
  pid: Deno.pid,
  kind: "qemu",
  name: "web1",
  named: true,
  accel: "kvm",
  machine: "q35",
  memoryBytes: 0,
  libvirt: false,
  startTime: 0,
  plans: [],
  attachable: true,
};

/** A monitor that gives this answer to commands, once capabilities are asked. */
const monitor = (answer: unknown) =>
  socketServer(`
    await say('{"QMP": {}}\\r\\n');
    let first = true;
    for await (const line of lines()) {
      const { execute, arguments: args } = JSON.parse(line);
      const answer = ${JSON.stringify(answer)};
      const known = execute === "human-monitor-command" &&
        args["command-line"] === "info registers -a";
      await say(JSON.stringify({ return: first ? {} : known ? answer : "?" }) + "\\r\\n");
      first = false;
    }`);

const ask = (vm: VmProcess, socket?: string) =>
  askRegisters(vm, MEMORY, registers, socket, LIMITS);

Deno.test("the monitor on the command line, and one that is named", async () => {
  await using server = await monitor(QEMU_10);
  for (
    const reading of [
      await ask({ ...VM, monitors: ["/nowhere/qmp.sock", server.path] }),
      await ask({ ...VM, libvirt: true }, server.path),
    ]
  ) {
    assert.ok("cpus" in reading);
    assert.equal(reading.from, "QEMU's monitor");
    assert.deepEqual(reading.cpus.map(({ cpu }) => cpu), [0, 1]);
    // The page tables lie outside of this guest's RAM.
    assert.equal(reading.tops.size, 0);
  }
});

Deno.test("a domain of libvirt's is asked through virsh", async () => {
  const uuid = "9b88fa44-d454-493c-8e7a-0304c41f3888";
  const vm = { ...VM, name: "--hmp", uuid, libvirt: true };
  await withVirsh(
    `case " $* " in *" qemu-monitor-command --domain ${uuid} --hmp info registers -a "*) ;; *) exit 9 ;; esac
cat <<'END'
${QEMU_10}
END`,
    async () => {
      const reading = await ask(vm);
      assert.ok("cpus" in reading);
      assert.equal(reading.from, "QEMU's monitor, through libvirt");
      assert.deepEqual(reading.cpus.map(({ cpu }) => cpu), [0, 1]);
    },
  );
  await withVirsh("echo 'error: no domain' >&2; exit 1", async () => {
    assert.deepEqual(await ask(vm), {
      why: "libvirt does not ask QEMU's monitor: no domain",
    });
  });
});

Deno.test("no monitor, no registers, or a monitor that is silent: why", async () => {
  const why = async (vm: VmProcess) => {
    const reading = await ask(vm);
    return "why" in reading ? reading.why : "";
  };
  assert.match(await why(VM), /no monitor that can be asked; start it with/);
  assert.match(await why({ ...VM, kind: "firecracker" }), /firecracker tells/);
  await using none = await monitor("unknown command\r\n");
  assert.match(
    await why({ ...VM, monitors: [none.path] }),
    /told no registers/,
  );
  await using odd = await monitor(5);
  assert.match(await why({ ...VM, monitors: [odd.path] }), /with no text/);
  assert.match(
    await why({ ...VM, pid: 1, monitors: [odd.path] }),
    /process \d+ listens there, and not the VM's own$/,
  );
  await using busy = await socketServer("for await (const _ of lines());");
  assert.match(
    await why({ ...VM, monitors: [busy.path] }),
    /serves another client/,
  );
  await using chatty = await socketServer(`
    await say('{"QMP": {}}\\r\\n');
    for (;;) {
      await say('{"event": "RTC_CHANGE"}\\r\\n');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }`);
  assert.match(
    await why({ ...VM, monitors: [chatty.path] }),
    /no answer to qmp_capabilities/,
  );
});
