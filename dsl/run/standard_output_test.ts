import assert from "node:assert/strict";
import { writerTo } from "./standard_output.ts";

/** An output that takes two bytes at a time, and fails after `most` bytes. */
function output(most: number, error: Error) {
  const taken: number[] = [];
  return {
    text: () => new TextDecoder().decode(new Uint8Array(taken)),
    writeSync(bytes: Uint8Array): number {
      if (taken.length >= most) throw error;
      const some = bytes.subarray(0, 2);
      taken.push(...some);
      return some.length;
    },
  };
}

Deno.test("a reader that has ended is told once, and is no error", () => {
  const to = output(6, new Deno.errors.BrokenPipe("x"));
  let closed = 0;
  const write = writerTo(to, () => closed++);
  write("abcd");
  assert.equal(closed, 0);
  write("efgh");
  write("ij");
  assert.equal(to.text(), "abcdef");
  assert.equal(closed, 1);
});

Deno.test("another error of the output is thrown", () => {
  const write = writerTo(output(0, new Error("the disk is full")), () => {});
  assert.throws(() => write("a"), /the disk is full/);
});

Deno.test("a script whose output nobody reads any more ends quietly", async () => {
  const script = `
    import { open, sys_openat, trace } from "xftrace";
    await using guest = await open("core:testdata/guest-6.1.core.zst");
    // Until the reader has ended, and the pipe would be full otherwise.
    for (let i = 0; i < 50; i++) await trace(sys_openat).on(guest).print();
  `;
  const root = new URL("../../", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-read", "--allow-env", "-"],
    cwd: root,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const reader = child.stdout.getReader();
  assert.ok(!(await reader.read()).done);
  await reader.cancel();
  const [{ code }, said] = await Promise.all([
    child.status,
    new Response(child.stderr).text(),
  ]);
  assert.doesNotMatch(said, /BrokenPipe|error/);
  assert.equal(code, 0);
});
