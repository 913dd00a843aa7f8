import assert from "node:assert/strict";
import { join } from "node:path";
import { XftraceError } from "../../engine/base/errors.ts";
import type { Applied } from "../../engine/control/applied.ts";
import {
  type CollectorResult,
  type SealedState,
  StateFolder,
  stateFolders,
  type TraceState,
} from "./state.ts";

/** A temporary folder for state. */
function base(): { path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "xftrace-state-" });
  return {
    path,
    [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }),
  };
}

const APPLIED: Applied[] = [
  {
    way: "word",
    change: {
      way: "word",
      what: "tracing_on",
      where: "trace_buffer.record_disabled",
      gva: 0xffff888003c0a008n,
      width: 4,
      mask: 1n << 20n,
      before: 1n << 20n,
      after: 0n,
      guards: [{
        where: "trace_array.array_buffer.buffer",
        gva: 0xffffffff82345678n,
        value: 0xffff888003c0a000n,
      }],
    },
    found: 1n << 20n,
    pending: true,
  },
  {
    way: "word",
    change: {
      way: "word",
      what: "cpu0",
      where: "ring_buffer_per_cpu.record_disabled",
      gva: 0xffff888003c0b004n,
      width: 8,
      mask: (1n << 64n) - 1n,
      before: 1n,
      after: 2n,
      counts: true,
    },
    found: 1n,
  },
];

const STATE: TraceState = {
  format: 2,
  target: "qemu:web1",
  functions: ["sys_openat"],
  roots: [0xffffffff81234560n],
  applied: APPLIED,
  byFiles: false,
  wasRecording: false,
  started: "2026-01-02T03:04:05.678Z",
  collector: 0,
};

const RESULT: CollectorResult = {
  reason: "off",
  events: 10,
  kept: 9,
  lines: 12,
  lost: 0,
  dropped: 1,
  truncated: false,
  exact: true,
  resets: 0,
};

Deno.test("a state is read back as it was written, with exact addresses", () => {
  using at = base();
  const folder = new StateFolder("vm-1-2", at.path);
  assert.equal(folder.read(), undefined);
  assert.equal(folder.exists(), false);
  folder.create();
  assert.equal(folder.exists(), false);
  folder.write(STATE);
  assert.equal(folder.exists(), true);
  const back = folder.read();
  assert.deepEqual(back?.roots, STATE.roots);
  assert.deepEqual(back?.applied[0], APPLIED[0]);
  // What `off` undoes is exactly what was applied.
  assert.deepEqual(back?.applied[1], APPLIED[1]);
  folder.write({ ...STATE, collector: 1234, instance: "other" });
  assert.equal(folder.read()?.collector, 1234);
  assert.equal(folder.read()?.instance, "other");
});

Deno.test("the settings of a sealed trace, and of a selected tracer, are kept", () => {
  using at = base();
  const folder = new StateFolder("vm-1-2", at.path);
  folder.create();
  const sealed: SealedState = {
    seal: "siphash+ratchet",
    rotateMs: 10,
    roots: ["__x64_sys_openat"],
    filter: "all",
    depth: 0,
    interrupts: false,
    arguments: true,
    hooks: true,
    klogPath: "/a/trace.klog",
    recordingPath: "/a/trace.xfs",
    resume: false,
  };
  const path = "instances/mine/current_tracer";
  const applied: Applied[] = [
    { way: "instance", change: { way: "instance", name: "mine" } },
    {
      way: "tracefs",
      change: {
        way: "tracefs",
        path,
        text: "function",
        append: false,
        before: { known: true, text: "nop" },
      },
      left: "function",
    },
    {
      way: "tracefs",
      change: {
        way: "tracefs",
        path: "events/a/b/trigger",
        text: "stacktrace",
        append: true,
        before: { known: false },
        remove: "!stacktrace",
      },
    },
  ];
  folder.write({ ...STATE, sealed, applied, byFiles: true });
  assert.deepEqual(folder.read()?.sealed, sealed);
  assert.deepEqual(folder.read()?.applied, applied);
  assert.equal(folder.read()?.byFiles, true);
  const result = {
    ...RESULT,
    sealed: {
      keySwitches: 4,
      dropped: { nmi: 0, unkeyed: 1, nested: 0 },
      findings: [{ problem: "switched off", detail: "by somebody" }],
    },
  };
  folder.writeResult(result);
  assert.deepEqual(folder.readResult(), result);
});

Deno.test("whether a guest's process still runs", () => {
  using at = base();
  const stat = Deno.readTextFileSync("/proc/self/stat");
  const start = stat.slice(stat.lastIndexOf(")")).split(" ")[20];
  const runs = (key: string) => new StateFolder(key, at.path).guestRuns();
  assert.equal(runs(`vm-${Deno.pid}-${start}`), true);
  assert.equal(runs(`vm-${Deno.pid}-${Number(start) + 1}`), false, "another");
  assert.equal(runs(`vm-4194305-${start}`), false);
});

Deno.test("only its owner can read the state, and it is never incomplete", () => {
  using at = base();
  const folder = new StateFolder("vm-1-2", at.path);
  folder.create();
  folder.write(STATE);
  const mode = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;
  assert.equal(mode(folder.path), 0o700);
  assert.equal(mode(join(folder.path, "state.json")), 0o600);
  assert.deepEqual(
    [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort(),
    ["reserve", "state.json"],
  );
});

Deno.test("a damaged state is an error that says what to do", () => {
  using at = base();
  const folder = new StateFolder("vm-1-2", at.path);
  folder.create();
  folder.write(STATE);
  const path = join(folder.path, "state.json");
  const whole = Deno.readTextFileSync(path);
  const damaged = [
    "",
    "{}",
    whole.slice(0, -10),
    whole.replace("0xffffffff81234560", "18446744071580968288"),
    whole.replace('"width": 4', '"width": 5'),
  ];
  for (const text of damaged) {
    assert.notEqual(text, whole);
    Deno.writeTextFileSync(path, text);
    assert.throws(() => folder.read(), (error) => {
      assert.ok(error instanceof XftraceError);
      assert.match(error.message, /state\.json is damaged; .* remove /);
      return true;
    });
  }
});

Deno.test("a state of another version names the version to end the trace with", () => {
  using at = base();
  const folder = new StateFolder("vm-1-2", at.path);
  folder.create();
  folder.write(STATE);
  const path = join(folder.path, "state.json");
  const whole = Deno.readTextFileSync(path);
  const others = [
    whole.replace('"format": 2', '"format": 1'),
    whole.replace('"format": 2', '"format": 3'),
    '{ "format": 1 }',
  ];
  for (const text of others) {
    assert.notEqual(text, whole);
    Deno.writeTextFileSync(path, text);
    assert.throws(() => folder.read(), (error) => {
      assert.ok(error instanceof XftraceError);
      assert.match(
        error.message,
        /state\.json was written by another version of xftrace \(format [13], and this version reads 2\): run `xftrace off` with the version that began the trace, .* remove /,
      );
      return true;
    });
  }
});

Deno.test("a missing or damaged result reads as undefined", () => {
  using at = base();
  const folder = new StateFolder("vm-1-2", at.path);
  folder.create();
  assert.equal(folder.readResult(), undefined);
  folder.writeResult(RESULT);
  assert.deepEqual(folder.readResult(), RESULT);
  for (const text of ["{}", "{", ""]) {
    Deno.writeTextFileSync(join(folder.path, "result.json"), text);
    assert.equal(folder.readResult(), undefined);
  }
});

Deno.test("removing a folder removes all its files, and can be repeated", () => {
  using at = base();
  const folder = new StateFolder("vm-1-2", at.path);
  folder.create();
  folder.write(STATE);
  Deno.writeTextFileSync(folder.spool, "x");
  Deno.writeTextFileSync(folder.text, "x");
  folder.remove();
  folder.remove();
  assert.deepEqual([...Deno.readDirSync(at.path)], []);
});

Deno.test("lists the folders of all guests that have a state", () => {
  using at = base();
  const before = Deno.env.get("XDG_STATE_HOME");
  try {
    Deno.env.set("XDG_STATE_HOME", at.path);
    assert.deepEqual(stateFolders(), []);
    for (const key of ["vm-2-1", "vm-1-1", "vm-3-1"]) {
      const folder = new StateFolder(key);
      folder.create();
      if (key !== "vm-3-1") folder.write(STATE);
    }
    assert.deepEqual(
      stateFolders().map(({ path }) => path),
      ["vm-1-1", "vm-2-1"].map((key) => join(at.path, "xftrace", key)),
    );
  } finally {
    if (before === undefined) Deno.env.delete("XDG_STATE_HOME");
    else Deno.env.set("XDG_STATE_HOME", before);
  }
});
