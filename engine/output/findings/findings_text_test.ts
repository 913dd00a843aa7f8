import assert from "node:assert/strict";
import { GUEST, HOOKED, IDLE, quiet, run, UNSEEN } from "./findings_fixture.ts";
import { checkRunJson } from "./findings_json.ts";
import { findingsText } from "./findings_text.ts";

Deno.test("text: the evidence, what was not judged, and a summary line", () => {
  const text = findingsText(
    checkRunJson(GUEST, run(HOOKED, UNSEEN, quiet("XF003"), IDLE)),
  );
  assert.equal(
    text,
    `XF001 critical  sys_call_table[257] leads to evil [rk], a module
       where     sys_call_table[257] at 0xffffffff82000b68
       expected  __x64_sys_openat
       found     evil [rk]
       leads to  0xffffffffc0001000
       module    rk
       check     check XF001 (ATT&CK T1014)

Could not be judged
  XF002  x64_sys_call: not mapped

XF001  check XF001       12,345 judged  1 finding
XF002  check XF002       12,345 judged  not judged
XF003  check XF003       12,345 judged  clean
XF020  check XF020       12,345 judged  not run: no image

root verified by 2 CPUs (registers from QEMU's monitor)
qemu:web1 (6.1.0): 1 finding (1 critical), 1 thing could not be judged; 3 checks in 1.5 s, not run: XF020
`,
  );
});

Deno.test("text: when no check was run, nothing counts as clean", () => {
  assert.equal(
    findingsText(checkRunJson(GUEST, run(IDLE))),
    `XF020  check XF020       12,345 judged  not run: no image

root verified by 2 CPUs (registers from QEMU's monitor)
qemu:web1 (6.1.0): not judged; 0 checks in 1.5 s, not run: XF020
`,
  );
});

Deno.test("text: a root that is not verified, and one that has to be", () => {
  const why = "the monitor is busy";
  const root = { verified: false, cpus: 0, from: undefined, why };
  const clean = { ...run(quiet("XF003")), root };
  const end = (of: typeof clean) =>
    findingsText(checkRunJson(GUEST, of)).split("\n").slice(-3, -1);
  assert.deepEqual(end(clean), [
    "root not verified: the monitor is busy",
    "qemu:web1 (6.1.0): clean, root not verified; 1 check in 1.5 s",
  ]);
  assert.deepEqual(end({ ...clean, rootRequired: true }), [
    "root not verified: the monitor is busy",
    "qemu:web1 (6.1.0): not judged in full, root not verified; 1 check in 1.5 s",
  ]);
  const found = { ...run(HOOKED), root, rootRequired: true };
  assert.equal(checkRunJson(GUEST, found).verdict, "findings");
});
