import assert from "node:assert/strict";
import { COMMAND, CONTROL } from "./abi.ts";
import { ControlPage } from "./control_page.ts";
import { Mailbox, RefusedError } from "./mailbox.ts";
import { ModuleGuest } from "./module_fixture.ts";

function setting() {
  const guest = new ModuleGuest();
  const page = ControlPage.find(guest.kernel);
  assert.ok(page !== undefined);
  return { guest, mailbox: new Mailbox(page), page };
}

Deno.test("a command is recorded before it is sent, and counted when answered", async () => {
  const { guest, mailbox } = setting();
  const noted: [number, number, number][] = [];
  mailbox.onCommand = (number, command) =>
    noted.push([number, command, guest.carriedOut.length]);
  const before = mailbox.answered;
  const answer = await mailbox.command("ping");
  assert.deepEqual([answer.number, answer.result], [1, 0]);
  await mailbox.command("reset");
  assert.deepEqual(noted, [[1, COMMAND.ping, 0], [2, COMMAND.reset, 1]]);
  assert.deepEqual(guest.carriedOut, ["ping", "reset"]);
  assert.equal(mailbox.answered, before + 2);
  assert.deepEqual([...mailbox.sent], [[1, COMMAND.ping], [2, COMMAND.reset]]);
});

Deno.test("files are written, appended to and read, in parts if they are long", async () => {
  const { guest, mailbox, page } = setting();
  guest.files.set("set_graph_function", "");
  await mailbox.writeTracefs("set_graph_function", "vfs_read\n");
  await mailbox.writeTracefs("set_graph_function", "vfs_write\n", {
    append: true,
  });
  assert.equal(
    await mailbox.readTracefs("set_graph_function"),
    "vfs_read\nvfs_write\n",
  );
  // Two-byte characters that cross the boundary between parts.
  for (const length of [page.mailBytes - 1, page.mailBytes, 9000]) {
    const text = `x${"ü".repeat(length / 2)}`;
    guest.files.set("trace", text);
    assert.equal(await mailbox.readTracefs("trace"), text);
  }
});

Deno.test("a refusal by the guest is reported with its reason", async () => {
  const { mailbox, page } = setting();
  await assert.rejects(mailbox.readTracefs("nonesuch"), (error) => {
    assert.ok(error instanceof RefusedError);
    assert.match(error.message, /tracefs' nonesuch: no such file or function/);
    return true;
  });
  await assert.rejects(
    mailbox.writeTracefs("nonesuch", "1\n"),
    /refused to write "1" to tracefs' nonesuch: no such file/,
  );
  await assert.rejects(
    mailbox.command("configure", new Uint8Array(page.mailBytes + 1)),
    /does not fit into the module's mail/,
  );
});

Deno.test("a thread that does not answer, and a module that is unloaded", async () => {
  const { guest, mailbox } = setting();
  guest.works = false;
  let waits = 0;
  await assert.rejects(
    mailbox.command("ping", undefined, {
      timeoutMs: 20,
      onWait: ({ command, phase }) => {
        assert.deepEqual([command, phase], ["ping", "idle"]);
        waits++;
      },
    }),
    /did not answer "ping" within 0 s; it last said: idle/,
  );
  assert.ok(waits > 0);
  const gone = mailbox.command("ping", undefined, {
    onWait: () => guest.set64(CONTROL.magic, 0),
  });
  await assert.rejects(gone, /was unloaded, or the guest restarted/);
  await assert.rejects(mailbox.command("ping"), /has been unloaded/);
});

Deno.test("a file that never ends is not read without end", async () => {
  const { mailbox, page } = setting();
  const bytes = new Uint8Array(page.mailBytes);
  let parts = 0;
  mailbox.command = () =>
    Promise.resolve({ number: ++parts, result: bytes.length, bytes });
  await assert.rejects(
    mailbox.readTracefs("trace"),
    /gives more than 67108864 bytes as tracefs' trace/,
  );
  assert.equal(parts, (1 << 26) / bytes.length + 1);
});
