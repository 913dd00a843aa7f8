import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { FakeProc } from "./proc_fixture.ts";

function schedstat(at: string, tid: number, ns: number, waited = 0): void {
  mkdirSync(`${at}/task/${tid}`, { recursive: true });
  writeFileSync(`${at}/task/${tid}/schedstat`, `${ns} ${waited} 1\n`);
}

Deno.test("a guest's processors are the threads beside the first", () => {
  using fake = new FakeProc();
  fake.add(100, { args: ["qemu"] });
  const at = `${fake.root}/100`;
  schedstat(at, 100, 5_000_000);
  assert.equal(fake.proc.cpuMs(100), 5, "the only thread");
  schedstat(at, 101, 1_500_000);
  schedstat(at, 102, 20_000, 7_000_000);
  assert.equal(fake.proc.cpuMs(100), 1.52);
  assert.equal(fake.proc.waitMs(100), 7);
});

Deno.test("a process without the scheduler's counts has those in ticks", () => {
  using fake = new FakeProc();
  fake.add(100, { args: ["qemu"] });
  mkdirSync(`${fake.root}/100/task/100`, { recursive: true });
  const rest = Array.from({ length: 40 }, () => "0");
  [rest[10], rest[11]] = ["7", "2"];
  const line = `100 (qemu) S ${rest.join(" ")}\n`;
  writeFileSync(`${fake.root}/100/stat`, line);
  writeFileSync(`${fake.root}/100/task/100/stat`, line);
  assert.equal(fake.proc.cpuMs(100), 90);
});

Deno.test("a process that is gone has not run", () => {
  using fake = new FakeProc();
  assert.equal(fake.proc.cpuMs(100), 0);
});

Deno.test("one that has ended and is not waited for is gone", () => {
  using fake = new FakeProc();
  fake.add(100, { args: ["qemu"] });
  schedstat(`${fake.root}/100`, 100, 5_000_000);
  const rest = Array.from({ length: 40 }, () => "0").join(" ");
  writeFileSync(`${fake.root}/100/stat`, `100 (qemu) Z ${rest}\n`);
  assert.equal(fake.proc.cpuMs(100), 0);
});
