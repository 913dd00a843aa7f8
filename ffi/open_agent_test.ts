import assert from "node:assert/strict";
import type { VmProcess } from "../engine/targets/vm.ts";
import { openAgent } from "./open_agent.ts";
import { socketServer } from "./socket_server_fixture.ts";

const VM: VmProcess = {
  pid: Deno.pid,
  kind: "qemu",
  name: "web1",
  named: true,
  accel: "tcg",
  machine: "q35",
  memoryBytes: 0,
  libvirt: false,
  startTime: 0,
  plans: [],
  attachable: true,
};

Deno.test("a VM without a port for the agent: the error says how to add one", () => {
  assert.throws(
    () => openAgent(VM, "qemu:web1"),
    /^XftraceError: qemu:web1 has no port for a guest agent; start its QEMU with: -chardev socket,.*name=org\.qemu\.guest_agent\.0$/,
  );
  assert.throws(
    () => openAgent({ ...VM, agent: { kind: "pty" } }, "qemu:web1"),
    /port of qemu:web1 is a pty without a path/,
  );
  assert.throws(
    () => openAgent({ ...VM, kind: "firecracker" }, "pid:7"),
    /pid:7 runs under firecracker, which has no guest agent/,
  );
});

Deno.test("a port that no program in the guest has opened: the error says so", async () => {
  await using agent = await socketServer("for await (const _ of lines());");
  const monitor = (open: boolean) =>
    socketServer(`
    await say('{"QMP": {}}\\n');
    for await (const line of lines()) {
      const list = [
        { filename: "unix:/other", label: "x", "frontend-open": true },
        { filename: "disconnected:unix:${agent.path},server=on", label: "qga0", "frontend-open": ${open} },
      ];
      await say(JSON.stringify({ return: JSON.parse(line).execute === "query-chardev" ? list : {} }) + "\\n");
    }`);
  for (
    const [open, why] of [
      [false, /answers at .*: nothing in the guest has opened its port/],
      [true, /answers at .*: it does not run .* or another program/],
    ] as const
  ) {
    await using qmp = await monitor(open);
    assert.throws(
      () =>
        openAgent(
          {
            ...VM,
            qmpSocket: qmp.path,
            agent: { kind: "socket", socket: agent.path },
          },
          "qemu:web1",
          { sync: 200, answer: 200 },
        ),
      why,
    );
  }
});
