import assert from "node:assert/strict";
import { XftraceError } from "xftrace";
import { toldByFile } from "./ask_guest.ts";
import { readBaseline } from "./commands/baseline.ts";
import { readKernelFile, unpack, unpackXz, xzSize } from "./kernel_file.ts";
import { moduleFiles } from "./module_files.ts";
import { readGiven } from "./user_files.ts";

Deno.test("a file that is not there is named in one sentence, by every reader", () => {
  const path = "/no/such/file";
  const readers: readonly [() => unknown, string][] = [
    [() => readGiven(path), path],
    [() => readBaseline(path), path],
    [() => readKernelFile(path), path],
    [() => toldByFile(path), `--tracefs ${path}`],
    [() => moduleFiles([path]), `--modules ${path}`],
    [() => readGiven(path, { option: "--module" }), `--module ${path}`],
  ];
  for (const [read, named] of readers) {
    assert.throws(read, (error) => {
      assert.ok(error instanceof XftraceError);
      assert.equal(
        error.message,
        `${named} cannot be read: there is no such file`,
      );
      return true;
    });
  }
});

/** The message of the error that `read` throws. */
function refusal(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof XftraceError) return error.message;
    throw error;
  }
  return "";
}

Deno.test("what is no regular file, or has no end, is not read", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = `${folder}/f`;
    new Deno.Command("mkfifo", { args: [path] }).outputSync();
    for (const read of [readGiven, readBaseline, readKernelFile, toldByFile]) {
      assert.match(
        refusal(() => read(path)),
        /f cannot be read: it is a FIFO, not a regular file; give a regular/,
      );
      assert.match(
        refusal(() => read("/dev/zero")),
        /cannot be read: it is a device, not a regular file; give/,
      );
      assert.match(
        refusal(() => read(folder)),
        /cannot be read: it is a folder; give a file$/,
      );
    }
    Deno.symlinkSync("loop", `${folder}/loop`);
    assert.match(
      refusal(() => readGiven(`${folder}/loop`)),
      /loop cannot be read: /,
    );
    Deno.writeFileSync(`${folder}/sparse`, new Uint8Array());
    Deno.truncateSync(`${folder}/sparse`, 2 ** 40);
    assert.match(
      refusal(() => readBaseline(`${folder}/sparse`)),
      /sparse cannot be read: it is larger than the \d+ bytes/,
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

/** What a command of the shell makes of some bytes. */
function run(command: string, bytes: Uint8Array): Uint8Array {
  const file = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(file, bytes);
    return new Deno.Command("sh", {
      args: ["-c", `${command} < "$0"`, file],
    }).outputSync().stdout;
  } finally {
    Deno.removeSync(file);
  }
}

Deno.test("unpacking ends at a limit, and a tool that fails is noticed", () => {
  const packed = run("xz", new Uint8Array(1 << 20));
  assert.deepEqual(unpack("xz", packed), new Uint8Array(1 << 20));
  assert.equal(unpack("xz", packed, 1 << 20).length, 1 << 20);
  assert.equal(unpack("xz", packed, (1 << 20) - 1), "too large");
  assert.equal(unpack("xz", packed.subarray(0, packed.length - 9)), "failed");
  assert.equal(unpack("no-such-tool", packed), "failed");
  // Its dictionary takes more memory than any that the kernel's unpacker has.
  const wide = run("xz --lzma2=preset=0,dict=1GiB", new Uint8Array(1 << 20));
  assert.equal(unpack("xz", wide), "failed");
});

Deno.test("a module's file that cannot be read is told of each time, and read once", () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.mkdirSync(`${folder}/sub`);
    Deno.symlinkSync("..", `${folder}/sub/up`);
    Deno.writeFileSync(`${folder}/bad.ko`, new Uint8Array(100));
    Deno.writeFileSync(`${folder}/good.ko`, new Uint8Array(100));
    new Deno.Command("mkfifo", { args: [`${folder}/pipe.ko`] }).outputSync();
    Deno.symlinkSync("/dev/zero", `${folder}/endless.ko`);
    const files = moduleFiles([folder]);
    const said = refusal(() => files("bad"));
    assert.match(said, /bad\.ko is no module of a kernel/);
    Deno.removeSync(`${folder}/bad.ko`);
    assert.equal(refusal(() => files("bad")), said);
    assert.match(refusal(() => files("pipe")), /pipe\.ko .* it is a FIFO/);
    assert.match(refusal(() => files("endless")), /endless\.ko .* a device/);
    assert.deepEqual(files("none"), []);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("files packed with xz are unpacked together, and what is wrong by itself", () => {
  const text = (name: string, length: number) =>
    new TextEncoder().encode(name.repeat(length)).subarray(0, length);
  const plain = [text("one", 5000), text("two", 70_000), text("three", 1)];
  const packed = plain.map((bytes) => run("xz", bytes));
  assert.deepEqual(packed.map(xzSize), plain.map(({ length }) => length));
  assert.deepEqual(unpackXz(packed, 1 << 20), plain);
  // Several blocks of one stream.
  const blocks = run("xz --block-size=4096", plain[1]);
  assert.equal(xzSize(blocks), 70_000);
  // Beyond the limit, it is left.
  assert.deepEqual(unpackXz([...packed, packed[0]], 75_001), [
    ...plain,
    undefined,
  ]);
  // One that is damaged leaves all to be unpacked one by one.
  const bent = packed[0].with(40, packed[0][40] ^ 0xff);
  assert.deepEqual(
    unpackXz([packed[1], bent], 1 << 20),
    [undefined, undefined],
  );
  // Its index alone says how much that is, and xz does not believe it.
  const index = packed[0].length - 12 - 8;
  const lie = packed[0].with(index + 4, packed[0][index + 4] ^ 1);
  assert.deepEqual(unpackXz([packed[1], lie], 1 << 20), [undefined, undefined]);
  // No xz, two streams in one, a cut one, nothing.
  const two = new Uint8Array([...packed[0], ...packed[2]]);
  for (const odd of [plain[0], two, packed[0].subarray(0, 60), plain[2]]) {
    assert.equal(xzSize(odd), undefined);
    assert.deepEqual(unpackXz([packed[1], odd, packed[0]], 1 << 20), [
      plain[1],
      undefined,
      plain[0],
    ]);
  }
});

Deno.test("modules that are prepared are those that are read without that", () => {
  const folder = Deno.makeTempDirSync();
  try {
    // No module of a kernel: what is said of each shows what was unpacked.
    for (const name of ["one", "two", "three"]) {
      const elf = new Uint8Array(100).fill(name.length);
      Deno.writeFileSync(`${folder}/${name}.ko.xz`, run("xz", elf));
    }
    const damaged = `${folder}/three.ko.xz`;
    Deno.writeFileSync(damaged, Deno.readFileSync(damaged).fill(7, 30, 40));
    const names = ["one", "two", "three", "none"];
    const said = (prepared: readonly string[]) => {
      const files = moduleFiles([folder]);
      files.prepare(prepared);
      files.prepare(prepared);
      return names.map((name) => {
        try {
          return files(name).length;
        } catch (error) {
          return String(error);
        }
      });
    };
    const [one, , three, none] = said([]);
    assert.match(String(one), /one\.ko\.xz is no module of a kernel/);
    assert.match(String(three), /three\.ko\.xz could not be unpacked/);
    assert.equal(none, 0);
    assert.deepEqual(said(names), said([]));
    assert.deepEqual(said(["one", "two"]), said([]));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
