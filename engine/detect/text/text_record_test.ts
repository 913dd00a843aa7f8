import assert from "node:assert/strict";
import { TemporaryFolder } from "../../base/temporary_folder_fixture.ts";
import { type TextRecords, textRecords } from "./text_record.ts";

const BOOT = "0123abcd";

function save(records: TextRecords, bytes: Uint8Array): void {
  records.save(BOOT, "kernel", { start: 1n, bytes, kernel: "6.1.0" });
}

Deno.test("a text is read back from its file, which only its owner may read", () => {
  using temporary = new TemporaryFolder();
  const folder = `${temporary.path}/text`;
  const records = textRecords(folder, "vm/1");
  assert.deepEqual(records.boots(), []);
  assert.equal(records.load(BOOT, "kernel"), undefined);
  const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i * 7);
  const kernel = "6.1.0 (BUILD-ID none)";
  records.save(BOOT, "kernel", { start: 0xffffffff81000000n, bytes, kernel });
  const text = records.load(BOOT, "kernel");
  assert.equal(text?.start, 0xffffffff81000000n);
  assert.equal(text?.kernel, kernel);
  assert.deepEqual(text?.bytes, bytes);
  assert.deepEqual(records.boots(), [BOOT]);
  const other = textRecords(folder, "vm/2");
  assert.equal(other.load(BOOT, "kernel"), undefined);
  assert.deepEqual(other.boots(), []);
  const [{ name }] = [...Deno.readDirSync(folder)];
  assert.equal((Deno.statSync(`${folder}/${name}`).mode ?? 0) & 0o777, 0o600);
  assert.equal((Deno.statSync(folder).mode ?? 0) & 0o777, 0o700);
});

Deno.test("a damaged record is refused with what to do", () => {
  using temporary = new TemporaryFolder();
  const folder = temporary.path;
  const records = textRecords(folder, "vm");
  save(records, new Uint8Array(4096).fill(9));
  const [{ name }] = [...Deno.readDirSync(folder)];
  const path = `${folder}/${name}`;
  const whole = Deno.readFileSync(path);
  for (const cut of [0, 10, whole.length - 1]) {
    Deno.writeFileSync(path, whole.subarray(0, cut));
    assert.throws(() => records.load(BOOT, "kernel"), /is damaged; remove it/);
  }
  const other = new Uint8Array(whole);
  other[other.indexOf(10) - 10] ^= 1;
  Deno.writeFileSync(path, other);
  assert.throws(() => records.load(BOOT, "kernel"), /is damaged; remove it/);
});

Deno.test("records of guests that are long gone are deleted", () => {
  using temporary = new TemporaryFolder();
  const folder = temporary.path;
  save(textRecords(folder, "old"), new Uint8Array(8));
  const [{ name }] = [...Deno.readDirSync(folder)];
  const then = new Date(Date.now() - 40 * 24 * 3600 * 1000);
  Deno.utimeSync(`${folder}/${name}`, then, then);
  save(textRecords(folder, "new"), new Uint8Array(8));
  const left = [...Deno.readDirSync(folder)].map(({ name }) => name);
  assert.deepEqual(left, [`new-${BOOT}-kernel.text`]);
});

Deno.test("a guest that pretends to be restarted again and again fills no disk", () => {
  using temporary = new TemporaryFolder();
  const folder = temporary.path;
  const records = textRecords(folder, "vm");
  for (let i = 0; i < 17; i++) {
    const boot = i.toString(16).padStart(8, "0");
    records.save(boot, "kernel", {
      start: 1n,
      bytes: new Uint8Array(8),
      kernel: "6.1.0",
    });
  }
  assert.throws(() => records.boots(), /has records of 17 boots of one VM/);
});

Deno.test("a link in the place of a record is not followed", () => {
  using temporary = new TemporaryFolder();
  const folder = temporary.path;
  const records = textRecords(folder, "vm");
  save(records, new Uint8Array(8));
  const path = `${folder}/vm-${BOOT}-kernel.text`;
  Deno.renameSync(path, `${folder}/elsewhere`);
  Deno.symlinkSync(`${folder}/elsewhere`, path);
  assert.throws(() => records.load(BOOT, "kernel"), /symbolic link/);
});
