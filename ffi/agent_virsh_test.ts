import assert from "node:assert/strict";
import { GuestAgent } from "../engine/agent/agent.ts";
import { VirshAgent } from "./agent_virsh.ts";

/**
 * Runs `body` with this shell script as the `virsh` on the PATH, or with none.
 */
async function withVirsh(
  script: string | undefined,
  body: (agent: GuestAgent) => Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync();
  const before = Deno.env.get("PATH") ?? "";
  try {
    if (script !== undefined) {
      Deno.writeTextFileSync(`${folder}/virsh`, `#!/bin/sh\n${script}`, {
        mode: 0o755,
      });
    }
    Deno.env.set("PATH", script === undefined ? folder : `${folder}:${before}`);
    const link = new VirshAgent("web1", "qemu:web1", "qemu:///system");
    await body(new GuestAgent(link, "qemu:web1"));
  } finally {
    Deno.env.set("PATH", before);
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("virsh: gets the domain and a JSON command, and its answer is read", async () => {
  await withVirsh(
    `[ "$1 $2 $3 $4 $5 $6 $7" = "-c qemu:///system qemu-agent-command --domain web1 --timeout 20" ] || exit 9
case $8 in
*guest-exec-status*) echo '{"return":{"exited":true,"exitcode":1,"err-data":"bm8="}}' ;;
*'"execute":"guest-exec"'*'"arg":["a b"]'*) echo '{"return":{"pid":5}}' ;;
*) exit 8 ;;
esac`,
    async (agent) => {
      const { status, err } = await agent.run("insmod", ["a b"]);
      assert.deepEqual([status, err], [1, "no"]);
    },
  );
});

Deno.test("virsh: errors of the agent and of libvirt are told apart", async () => {
  await withVirsh(
    `echo "error: internal error: unable to execute QEMU agent command 'guest-exec': Command guest-exec has been disabled" >&2; echo >&2; exit 1`,
    async (agent) => {
      await assert.rejects(
        agent.run("true", []),
        /^AgentRefusal: the guest agent of qemu:web1 does not allow guest-exec \(Command guest-exec has been disabled\); to allow it/,
      );
    },
  );
  await withVirsh(
    `echo "error: Guest agent is not responding: QEMU guest agent is not connected" >&2; exit 1`,
    async (agent) => {
      await assert.rejects(
        agent.info(),
        /libvirt does not reach the guest agent of qemu:web1: Guest agent is not responding: QEMU guest agent is not connected$/,
      );
    },
  );
});

Deno.test("virsh: not installed, or flooding its output", async () => {
  await withVirsh(undefined, async (agent) => {
    await assert.rejects(agent.info(), /virsh is not installed here/);
  });
  await withVirsh(
    `head -c 40000000 /dev/zero | tr '\\0' x`,
    async (agent) => {
      await assert.rejects(agent.info(), /answers guest-info out of form: xxx/);
    },
  );
});
