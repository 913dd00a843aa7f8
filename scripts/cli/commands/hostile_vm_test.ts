import assert from "node:assert/strict";
import type { VmProcess } from "xftrace/targets";
import { vmChecks } from "../doctor_checks.ts";
import { diagnosisText } from "./doctor.ts";
import { listedTasks, psText } from "./ps.ts";

const CONTROLS = /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]--[\n]]/v;

/** A VM whose owner has chosen its words. */
function vm(word: string): VmProcess {
  return {
    pid: 7,
    startTime: 1,
    name: `web${word}`,
    named: true,
    kind: "qemu",
    accel: word,
    machine: `pc${word}`,
    memoryBytes: 0,
    libvirt: false,
    plans: [],
    attachable: false,
    whyNot: `its memory is at ${word}`,
  };
}

Deno.test("a VM's words add no row to a list, and no line to a diagnosis", () => {
  const evil = vm("\nqemu:other  8  qemu\x1b[31m\x9b2J\u202e");
  const list = psText([evil, vm("x")].map(listedTasks));
  assert.doesNotMatch(list, CONTROLS);
  assert.equal(list.split("\n").length, 4);
  const checks = vmChecks(evil);
  const text = diagnosisText({
    target: `qemu:${evil.name}`,
    ready: false,
    checks,
  });
  assert.doesNotMatch(text, CONTROLS);
  assert.equal(text.split("\n").length, 2 + checks.length + 1);
});

Deno.test("a VM whose name is a pattern is listed by its pid", () => {
  const text = psText([listedTasks(vm("$&$'"))]);
  assert.equal(text.split("\n")[1].split(" ")[0], "pid:7");
});
