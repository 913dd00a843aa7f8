import assert from "node:assert/strict";
import { GuestAgent } from "../engine/agent/agent.ts";
import { VirshAgent } from "./agent_virsh.ts";
import { virsh } from "./virsh.ts";
import { withVirsh } from "./virsh_fixture.ts";

/** Runs `body` with an agent that is reached through this `virsh`. */
const withAgent = (
  script: string | undefined,
  body: (agent: GuestAgent) => Promise<void>,
) =>
  withVirsh(script, () => {
    const link = new VirshAgent("web1", "qemu:web1", "qemu:///system");
    return body(new GuestAgent(link, "qemu:web1"));
  });

Deno.test("virsh: gets the domain and a JSON command, and its answer is read", async () => {
  await withAgent(
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
  await withAgent(
    `echo "error: internal error: unable to execute QEMU agent command 'guest-exec': Command guest-exec has been disabled" >&2; echo >&2; exit 1`,
    async (agent) => {
      await assert.rejects(
        agent.run("true", []),
        /^AgentRefusal: the guest agent of qemu:web1 does not allow guest-exec \(Command guest-exec has been disabled\); to allow it/,
      );
    },
  );
  await withAgent(
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
  await withAgent(undefined, async (agent) => {
    await assert.rejects(agent.info(), /virsh is not installed here/);
  });
  await withAgent(
    `head -c 40000000 /dev/zero | tr '\\0' x`,
    async (agent) => {
      await assert.rejects(agent.info(), /answers guest-info out of form: xxx/);
    },
  );
});

Deno.test("virsh: one that hangs is ended, and that is said", async () => {
  await withVirsh("exec sleep 600", async () => {
    await assert.rejects(
      virsh(["list"], 0.2),
      /XftraceError: virsh did not end within 0.2 s; does libvirt answer\?$/,
    );
  });
});
