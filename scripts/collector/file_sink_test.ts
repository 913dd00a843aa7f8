import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { XftraceError } from "../../engine/base/errors.ts";
import { textBytes } from "xftrace/output";
import { FileSink } from "./file_sink.ts";

/** Runs a test with a temporary folder. */
function inFolder(test: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "xftrace-sink-" });
  try {
    test(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const names = (folder: string) =>
  [...Deno.readDirSync(folder)].map(({ name }) => name);

Deno.test("the file appears only when it is complete", () =>
  inFolder((folder) => {
    const path = join(folder, "trace.txt");
    {
      using sink = new FileSink(path);
      sink.write("eins\n");
      sink.write("zwölf\n");
      assert.deepEqual(names(folder).includes("trace.txt"), false);
      sink.commit();
    }
    assert.equal(Deno.readTextFileSync(path), "eins\nzwölf\n");
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    assert.deepEqual(names(folder), ["trace.txt"]);
  }));

Deno.test("an uncommitted file leaves nothing behind, and the old file unchanged", () =>
  inFolder((folder) => {
    const path = join(folder, "trace.txt");
    Deno.writeTextFileSync(path, "old");
    assert.throws(() => {
      using sink = new FileSink(path);
      sink.write("new");
      throw new Error("the guest has ended");
    }, /the guest has ended/);
    assert.equal(Deno.readTextFileSync(path), "old");
    assert.deepEqual(names(folder), ["trace.txt"]);
  }));

Deno.test("an older file is replaced as a whole", () =>
  inFolder((folder) => {
    const path = join(folder, "trace.txt");
    Deno.writeTextFileSync(path, "much more text than there will be");
    using sink = new FileSink(path);
    sink.write("new");
    sink.commit();
    assert.equal(Deno.readTextFileSync(path), "new");
  }));

Deno.test("bytes and texts can be mixed", () =>
  inFolder((folder) => {
    const path = join(folder, "trace.dat");
    using sink = new FileSink(path);
    sink.write("a");
    sink.write(Uint8Array.of(0x00, 0xff, 0xdc));
    sink.write("b");
    sink.commit();
    assert.deepEqual(
      Deno.readFileSync(path),
      Uint8Array.of(0x61, 0x00, 0xff, 0xdc, 0x62),
    );
  }));

Deno.test("a large text is written completely", () =>
  inFolder((folder) => {
    const path = join(folder, "trace.txt");
    using sink = new FileSink(path);
    const line = "x".repeat(1 << 20);
    for (let i = 0; i < 5; i++) sink.write(line);
    sink.commit();
    assert.equal(Deno.statSync(path).size, 5 << 20);
  }));

Deno.test("texts and bytes of all lengths stay in order", () =>
  inFolder((folder) => {
    const path = join(folder, "trace.txt");
    using sink = new FileSink(path);
    let expected = "";
    for (let i = 0; i < 60; i++) {
      // Up to over twice the block; two bytes each, and bytes that are no text.
      const text = `${"é".repeat(i ** 3)}${i % 7 === 0 ? "\udcff" : ""}|`;
      sink.write(i % 5 === 0 ? textBytes(text) : text);
      expected += text;
    }
    sink.commit();
    assert.ok(Buffer.from(textBytes(expected)).equals(Deno.readFileSync(path)));
  }));

Deno.test("whoever reads a FIFO gets each piece at once", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "fifo");
    await new Deno.Command("mkfifo", { args: [path] }).output();
    const reader = new Deno.Command("cat", { args: [path], stdout: "piped" })
      .spawn();
    // Opening it for writing needs the reader to have opened it.
    let sink: FileSink | undefined;
    while (sink === undefined) {
      try {
        sink = new FileSink(path);
      } catch {
        await new Promise((done) => setTimeout(done, 20));
      }
    }
    const from = reader.stdout.getReader();
    for (const piece of ["one\n", "two\n"]) {
      sink.write(piece);
      const { value } = await from.read();
      assert.equal(new TextDecoder().decode(value), piece);
    }
    sink.commit();
    assert.equal((await from.read()).done, true);
    await reader.status;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("an error names the path that cannot be written", () =>
  inFolder((folder) => {
    assert.throws(
      () => new FileSink(join(folder, "absent", "trace.txt")),
      (error) => {
        assert.ok(error instanceof XftraceError);
        assert.match(
          error.message,
          /cannot write .*absent\/trace\.txt: .*, or choose another place with -o/,
        );
        return true;
      },
    );
  }));

Deno.test("a folder in the file's place is an error", () =>
  inFolder((folder) => {
    const path = join(folder, "trace.txt");
    Deno.mkdirSync(path);
    assert.throws(() => {
      using sink = new FileSink(path);
      sink.write("text");
      sink.commit();
    }, XftraceError);
    assert.deepEqual(names(folder), ["trace.txt"]);
  }));
