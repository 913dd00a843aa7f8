import assert from "node:assert/strict";
import { XftraceError } from "../base/errors.ts";
import {
  applyTracefs,
  settleTracefs,
  type TracefsFiles,
  TracefsRefused,
  undoTracefs,
} from "./carry_tracefs.ts";
import { RefusedError } from "../seal/page/mailbox.ts";
import type { TracefsWrite } from "./tracefs_control.ts";

const TRIGGER = "events/a/b/trigger";

/** Files of a guest; those named in `refuses` take nothing. */
class Files implements TracefsFiles {
  readonly contents: Map<string, string>;
  answers = true;
  refuses = "";

  constructor(contents: Record<string, string>) {
    this.contents = new Map(Object.entries(contents));
  }
  readTracefs(path: string): Promise<string> {
    return this.answers
      ? Promise.resolve(this.contents.get(path) ?? "")
      : Promise.reject(new XftraceError("the guest's module did not answer"));
  }
  writeTracefs(
    path: string,
    text: string,
    options: { readonly append?: boolean } = {},
  ): Promise<void> {
    if (path === this.refuses) {
      return Promise.reject(new RefusedError("the guest refused"));
    }
    const before = this.contents.get(path) ?? "";
    const word = text.trim();
    this.contents.set(
      path,
      options.append !== true
        ? text
        : word.startsWith("!")
        ? before.split("\n").filter((each) => each !== word.slice(1)).join("\n")
        : before + text,
    );
    return Promise.resolve();
  }
}

const option: TracefsWrite = {
  path: "options/a",
  text: "1",
  before: "0",
  after: "1",
  undo: "0",
};
const trigger: TracefsWrite = {
  path: TRIGGER,
  text: "stacktrace:5",
  before: "as it is",
  after: "and stacktrace:5",
  undo: "!stacktrace:5",
  append: true,
  undoAppend: true,
};

async function carry(files: Files): Promise<TracefsWrite[]> {
  const written: TracefsWrite[] = [];
  for (const write of [option, trigger]) {
    written.push(await applyTracefs(files, write));
  }
  return await settleTracefs(files, written);
}

const files = () => new Files({ "options/a": "0\n", [TRIGGER]: "traceon\n" });

Deno.test("all is taken back, and what was there before stays", async () => {
  const guest = files();
  const written = await carry(guest);
  assert.equal(guest.contents.get(TRIGGER), "traceon\nstacktrace:5\n");
  assert.deepEqual(await undoTracefs(guest, written), []);
  assert.equal(guest.contents.get("options/a"), "0\n");
  assert.equal(guest.contents.get(TRIGGER), "traceon\n");
});

Deno.test("what the guest has set since is left, each file by itself", async () => {
  const guest = files();
  const written = await carry(guest);
  guest.contents.set(TRIGGER, "traceon\nstacktrace:9 if x > 1\n");
  const [left, ...others] = await undoTracefs(guest, written);
  assert.deepEqual(others, []);
  assert.equal(left.changed, true);
  assert.match(left.reason, /trigger was changed by the guest since/);
  assert.match(guest.contents.get(TRIGGER) ?? "", /stacktrace:9/);
  assert.equal(guest.contents.get("options/a"), "0\n");
});

Deno.test("a module that does not answer is no change by the guest", async () => {
  const guest = files();
  const written = await carry(guest);
  guest.answers = false;
  const left = await undoTracefs(guest, written);
  assert.deepEqual(left.map(({ changed }) => changed), [false, false]);
  assert.match(left[0].reason, /did not answer/);
});

Deno.test("a refusal says whether there is anything to undo", async () => {
  const guest = files();
  guest.refuses = "options/a";
  await assert.rejects(applyTracefs(guest, option), (error) => {
    assert.ok(error instanceof TracefsRefused);
    assert.equal(error.unchanged, true);
    return true;
  });
});
