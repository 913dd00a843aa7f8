import assert from "node:assert/strict";
import type { AppliedFile } from "./applied.ts";
import { Files } from "./control_fixture.ts";
import { leftText } from "./left_text.ts";
import type { FileChange } from "./plan.ts";
import {
  applyFile,
  askFiles,
  FileRefused,
  settleFiles,
  undoFiles,
} from "./tracefs.ts";

const TRIGGER = "events/a/b/trigger";

const option: FileChange = {
  way: "tracefs",
  path: "options/a",
  text: "1",
  append: false,
  before: { known: true, text: "0" },
};
const trigger: FileChange = {
  way: "tracefs",
  path: TRIGGER,
  text: "stacktrace:5",
  append: true,
  before: { known: false },
  remove: "!stacktrace:5",
};

async function carry(
  files: Files,
  changes: readonly FileChange[] = [option, trigger],
): Promise<AppliedFile[]> {
  const written: AppliedFile[] = [];
  for (const change of changes) written.push(await applyFile(files, change));
  return await settleFiles(files, written);
}

const files = () => new Files({ "options/a": "0\n", [TRIGGER]: "traceon\n" });

Deno.test("everything is undone, and the previous contents are kept", async () => {
  const guest = files();
  const written = await carry(guest);
  assert.equal(guest.contents.get(TRIGGER), "traceon\nstacktrace:5\n");
  assert.deepEqual(await undoFiles(guest, written), []);
  assert.equal(guest.contents.get("options/a"), "0\n");
  assert.equal(guest.contents.get(TRIGGER), "traceon\n");
});

Deno.test("what the guest has set since is kept, separately for each file", async () => {
  const guest = files();
  const written = await carry(guest);
  guest.contents.set(TRIGGER, "traceon\nstacktrace:9 if x > 1\n");
  const [left, ...others] = await undoFiles(guest, written);
  assert.deepEqual(others, []);
  assert.equal(left.why, "changed");
  assert.match(
    leftText(left, "`xftrace on`"),
    /trigger was changed by the guest since/,
  );
  assert.match(guest.contents.get(TRIGGER) ?? "", /stacktrace:9/);
  assert.equal(guest.contents.get("options/a"), "0\n");
});

Deno.test("a module that does not answer is not taken for a change by the guest", async () => {
  const guest = files();
  const written = await carry(guest);
  guest.answers = false;
  const left = await undoFiles(guest, written);
  assert.deepEqual(left.map(({ why }) => why), ["failed", "failed"]);
  assert.match(left[0].reason ?? "", /did not answer/);
});

Deno.test("a refusal says whether there is anything to undo", async () => {
  const guest = files();
  guest.refuses = "options/a";
  await assert.rejects(applyFile(guest, option), (error) => {
    assert.ok(error instanceof FileRefused);
    assert.equal(error.unchanged, true);
    return true;
  });
});

Deno.test("contents that only the guest knows are asked for before writing", async () => {
  const guest = new Files({ thresh: "7\n", list: "a\nb\n", mixed: "X\n" });
  const unknown = (path: string, text: string, append = false): FileChange => ({
    way: "tracefs",
    path,
    text,
    append,
    before: { known: false },
  });
  const changes = [
    unknown("thresh", "256"),
    // It already holds that.
    unknown("thresh", "7"),
    unknown("list", "c", true),
    trigger,
  ];
  const asked = await askFiles(guest, changes);
  assert.deepEqual(asked, [
    { ...changes[0], before: { known: true, text: "7" } },
    { ...changes[2], before: { known: true, text: "a\nb" } },
    trigger,
  ]);
  assert.equal(guest.contents.get("thresh"), "7\n", "nothing is written");
  guest.contents.set("events/a/enable", "X\n");
  await assert.rejects(
    askFiles(guest, [unknown("events/a/enable", "1")]),
    /events\/a\/enable holds "X", which cannot be set back/,
  );
});

Deno.test("an event that the guest has disabled since stays disabled, and is reported with both values", async () => {
  const path = "events/a/b/enable";
  const guest = new Files({ [path]: "0\n" });
  const enable: FileChange = { ...option, path };
  const written = await carry(guest, [enable]);
  assert.equal(guest.contents.get(path), "1\n");
  assert.deepEqual(await undoFiles(guest, written), []);
  assert.equal(guest.contents.get(path), "0\n");

  const again = await carry(guest, [enable]);
  guest.contents.set(path, "0\n");
  const [left] = await undoFiles(guest, again);
  assert.equal(
    leftText(left, "this run"),
    `${path} was changed by the guest since (it holds "0", this run left "1"), and is left as it is`,
  );
});
