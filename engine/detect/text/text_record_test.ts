import assert from "node:assert/strict";
import { textRecords } from "./text_record.ts";

Deno.test("a text is read back from its file, which only its owner may read", () => {
  const folder = `${Deno.makeTempDirSync()}/text`;
  const records = textRecords(folder, "build-vm/1");
  assert.equal(records.load("kernel"), undefined);
  const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i * 7);
  records.save("kernel", 0xffffffff81000000n, bytes);
  const text = records.load("kernel");
  assert.equal(text?.start, 0xffffffff81000000n);
  assert.deepEqual(text?.bytes, bytes);
  assert.equal(textRecords(folder, "build-vm/2").load("kernel"), undefined);
  const [{ name }] = [...Deno.readDirSync(folder)];
  assert.equal((Deno.statSync(`${folder}/${name}`).mode ?? 0) & 0o777, 0o600);
  assert.equal((Deno.statSync(folder).mode ?? 0) & 0o777, 0o700);
});

Deno.test("a damaged record is refused with what to do", () => {
  const folder = Deno.makeTempDirSync();
  const records = textRecords(folder, "boot");
  records.save("kernel", 1n, new Uint8Array(4096).fill(9));
  const [{ name }] = [...Deno.readDirSync(folder)];
  const path = `${folder}/${name}`;
  const whole = Deno.readFileSync(path);
  for (const cut of [0, 10, whole.length - 1]) {
    Deno.writeFileSync(path, whole.subarray(0, cut));
    assert.throws(() => records.load("kernel"), /is damaged; remove it/);
  }
  const other = new Uint8Array(whole);
  other[other.indexOf(10) - 10] ^= 1;
  Deno.writeFileSync(path, other);
  assert.throws(() => records.load("kernel"), /is damaged; remove it/);
});

Deno.test("records of guests that are long gone are deleted", () => {
  const folder = Deno.makeTempDirSync();
  textRecords(folder, "old").save("kernel", 1n, new Uint8Array(8));
  const [{ name }] = [...Deno.readDirSync(folder)];
  const then = new Date(Date.now() - 40 * 24 * 3600 * 1000);
  Deno.utimeSync(`${folder}/${name}`, then, then);
  textRecords(folder, "new").save("kernel", 1n, new Uint8Array(8));
  const left = [...Deno.readDirSync(folder)].map(({ name }) => name);
  assert.deepEqual(left, ["new-kernel.text"]);
});
