import assert from "node:assert/strict";
import { XftraceError } from "../../base/errors.ts";
import { FIXTURE_TEXT } from "../../kernel/symbols/symbols_fixture.ts";
import { CONTROL, CPU, ENTRY_KIND, SEAL_NUMBER } from "../page/abi.ts";
import {
  ModuleGuest,
  type ModuleGuestOptions,
} from "../page/module_fixture.ts";
import {
  joinRecording,
  splitRecording,
} from "../recording/recording_fixture.ts";
import { isUntouched } from "../recording/verifier_fixture.ts";
import { isClean, verifyRecording } from "../recording/verify_recording.ts";
import type { SealedOptions } from "./running_trace.ts";
import { SealedTracer } from "./sealed_tracer.ts";

const SCHEDULE = FIXTURE_TEXT + 0x100n;

/** A guest, its tracer, and a folder for the log and the recording. */
class Setting implements Disposable {
  readonly guest: ModuleGuest;
  readonly tracer: SealedTracer;
  readonly folder = Deno.makeTempDirSync();
  readonly options: SealedOptions = {
    roots: [],
    filter: "all",
    // A new key at each poll.
    rotateMs: 0,
    klogPath: `${this.folder}/klog`,
    recordingPath: `${this.folder}/trace.xfts`,
  };

  constructor(options: ModuleGuestOptions = {}) {
    this.guest = new ModuleGuest(options);
    this.tracer = this.find();
  }

  /** Creates a second tracer, as another collector would. */
  find(): SealedTracer {
    const tracer = SealedTracer.find({
      target: "fixture",
      kernel: this.guest.kernel,
    });
    assert.ok(tracer !== undefined);
    return tracer;
  }

  /** Makes each CPU call a function some times. */
  work(times: number): void {
    for (let i = 0; i < times; i++) {
      this.guest.cpus.forEach((_, cpu) => {
        const kind = i % 2 === 0 ? ENTRY_KIND.entry : ENTRY_KIND.return;
        this.guest.push(cpu, { kind, func: SCHEDULE, caller: SCHEDULE + 9n });
      });
    }
  }

  /** Verifies the trace from its log and recording. */
  verify() {
    return verifyRecording(`${this.folder}/trace.xfts`);
  }

  [Symbol.dispose](): void {
    this.tracer.detach();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

for (const seal of ["xor", "siphash", "siphash+ratchet"] as const) {
  Deno.test(`a trace sealed with ${seal}: everything written is verified`, async () => {
    using setting = new Setting();
    const { guest, tracer, options } = setting;
    await tracer.start({ ...options, seal });
    assert.ok(tracer.enabled && tracer.running);
    assert.equal(guest.get32(CONTROL.seal), SEAL_NUMBER[seal]);
    for (let i = 0; i < 20; i++) {
      setting.work(7);
      tracer.poll();
    }
    assert.equal(tracer.status()?.phase, "idle");
    const summary = await tracer.stop();
    assert.equal(tracer.enabled, false);
    assert.deepEqual(guest.carriedOut, ["reset", "configure", "unregister"]);
    const written = guest.cpus.map((_, cpu) =>
      Number(guest.cpu64(cpu, CPU.head))
    );
    assert.equal(summary.entries, written[0] + written[1]);
    assert.deepEqual([summary.lost, summary.findings], [0, []]);
    assert.ok(summary.keySwitches >= 40);
    assert.ok(isUntouched(summary.verification));

    const verified = setting.verify();
    assert.deepEqual(verified.problems, []);
    assert.ok(isClean(verified));
    assert.equal(verified.total.verified, summary.entries);
    assert.equal(verified.recording.header.target, "fixture");
    assert.deepEqual({ ...verified.recording.names }, {
      [`0x${SCHEDULE.toString(16)}`]: "schedule",
      [`0x${(SCHEDULE + 9n).toString(16)}`]: "schedule+0x9",
    });
  });
}

Deno.test("what a CPU overwrites is counted, and no entry is read twice", async () => {
  using setting = new Setting({ entries: 64 });
  const { guest, tracer, options } = setting;
  const seen: number[] = [];
  await tracer.start({
    ...options,
    onEntry: (cpu, sequence) => cpu === 1 && seen.push(sequence),
  });
  for (const times of [10, 300, 63, 64, 65, 1]) {
    setting.work(times);
    tracer.poll();
  }
  const { entries, lost, verification } = await tracer.stop();
  const written = guest.cpus.map((_, cpu) =>
    Number(guest.cpu64(cpu, CPU.head))
  );
  assert.equal(entries + lost, written[0] + written[1]);
  assert.ok(lost >= 2 * (300 - 64));
  assert.deepEqual(seen, [...new Set(seen)].sort((a, b) => a - b));
  assert.ok(isUntouched(verification));
  assert.equal(verification.total.lost, lost);
  assert.ok(isClean(setting.verify()));
});

Deno.test("another collector continues a trace", async () => {
  using setting = new Setting();
  const { guest, tracer, options } = setting;
  await tracer.start(options);
  setting.work(5);
  tracer.poll();
  tracer.detach();
  assert.equal(tracer.running, false);
  // Keys that were sent are taken while no collector is attached.
  setting.work(5);

  const next = setting.find();
  next.resume(options);
  setting.work(5);
  next.poll();
  setting.work(5);
  const summary = await next.stop();
  assert.deepEqual(summary.findings, []);
  const verified = setting.verify();
  assert.ok(isClean(verified), verified.problems.join("; "));
  const written = guest.cpus.map((_, cpu) =>
    Number(guest.cpu64(cpu, CPU.head))
  );
  assert.equal(verified.total.verified, written[0] + written[1]);
  assert.equal(Object.keys(verified.recording.names).length, 2);
});

Deno.test("a recording of another trace cannot be continued", async () => {
  using setting = new Setting();
  const { tracer, options } = setting;
  await tracer.start(options);
  tracer.detach();
  const { recordingPath: _, ...unrecorded } = options;
  assert.throws(() => setting.find().resume(unrecorded), /not recorded/);
  setting.guest.set64(CONTROL.generation, 77);
  assert.throws(
    () => setting.find().resume(options),
    /are not of the trace that the guest runs/,
  );
});

Deno.test("switching off and on again is not a finding", async () => {
  using setting = new Setting();
  const { guest, tracer, options } = setting;
  assert.throws(() => tracer.switch(false), /no sealed trace is running/);
  await tracer.start(options);
  tracer.switch(false);
  assert.equal(guest.get32(CONTROL.enabled), 0);
  assert.deepEqual(tracer.checkNow(), []);
  tracer.switch(true);
  assert.equal(guest.get32(CONTROL.enabled), 1);
  setting.work(3);
  assert.deepEqual((await tracer.stop()).findings, []);
  assert.ok(isClean(setting.verify()));
});

/**
 * Changes made to a guest while it traces, and the finding expected for each.
 */
const TAMPERINGS: readonly [
  what: string,
  change: (guest: ModuleGuest) => void,
  problem: string,
][] = [
  [
    "clear enabled",
    (guest) => guest.set32(CONTROL.enabled, 0),
    "switched off",
  ],
  [
    "no arguments",
    (guest) => guest.set32(CONTROL.flags, 1),
    "settings changed",
  ],
  [
    "another depth",
    (guest) => guest.set32(CONTROL.max_depth, 1),
    "settings changed",
  ],
  ["another seal", (guest) => guest.set32(CONTROL.seal, 0), "settings changed"],
  [
    "claim not to be registered",
    (guest) => guest.set32(CONTROL.registered, 0),
    "not registered",
  ],
  [
    "another handler",
    (guest) =>
      guest.fixture.setU64(guest.get64(CONTROL.graph_ops), guest.text + 0x20n),
    "handler replaced",
  ],
  [
    "other code",
    (guest) => guest.fixture.setU64(guest.text, 0x9090n),
    "module text changed",
  ],
  [
    "another mail",
    (guest) => guest.set64(CONTROL.mail, guest.text),
    "control page changed",
  ],
  [
    "no such module any more",
    (guest) => guest.modules.splice(0),
    "module gone",
  ],
  [
    "a ring elsewhere",
    (guest) => guest.setCpu64(1, CPU.ring, guest.text),
    "ring moved",
  ],
  [
    "a key of somebody else's",
    (guest) => guest.setCpu64(1, CPU.slot_epoch, 900),
    "foreign key",
  ],
  [
    "a command of somebody else's",
    (guest) => {
      guest.set64(CONTROL.command_number, 41);
      guest.set64(CONTROL.command_answered, 41);
    },
    "foreign command",
  ],
  [
    "a head that goes back",
    (guest) => guest.setCpu64(0, CPU.head, 2),
    "head moved back",
  ],
  [
    "a head that no CPU can have",
    (guest) => guest.setCpu64(0, CPU.head, 1e12),
    "head moved ahead",
  ],
];

for (const [what, change, problem] of TAMPERINGS) {
  Deno.test(`reported while tracing: ${what}`, async () => {
    using setting = new Setting();
    const { guest, tracer, options } = setting;
    await tracer.start({ ...options, rotateMs: 60_000 });
    setting.work(9);
    tracer.poll();
    assert.deepEqual(tracer.checkNow(), []);
    change(guest);
    tracer.poll();
    tracer.checkNow();
    const found = tracer.findings.map((finding) => finding.problem);
    assert.ok(found.includes(problem as never), `${found}`);
    // Verification of the recording knows of it after the tracer is gone.
    tracer.detach();
    assert.ok(
      setting.verify().problems.some((each) =>
        each.startsWith(`while tracing: ${problem}`)
      ),
    );
  });
}

Deno.test("an entry with a flipped bit is forged, the others are not", async () => {
  using setting = new Setting();
  const { guest, tracer, options } = setting;
  await tracer.start({ ...options, rotateMs: 60_000 });
  setting.work(30);
  guest.entryAt(1, 12)[6] ^= 0x100;
  const { verification, entries } = await tracer.stop();
  assert.equal(verification.total.forged, 1);
  assert.equal(verification.total.verified, entries - 1);
  assert.equal(isClean(setting.verify()), false);
});

Deno.test("a command that the module carried out for somebody else", async () => {
  using setting = new Setting();
  const { guest, tracer, options } = setting;
  await tracer.start(options);
  guest.push(0, { kind: ENTRY_KIND.command, func: 99n, caller: 2n });
  tracer.poll();
  tracer.verifyRead();
  assert.match(tracer.findings[0].detail, /carried out command 99 \(kind 2\)/);
  const { findings } = await tracer.stop();
  assert.deepEqual(findings.map((each) => each.problem), ["foreign command"]);
});

Deno.test("the module is unloaded: what was read is kept", async () => {
  using setting = new Setting();
  const { guest, tracer, options } = setting;
  await tracer.start(options);
  setting.work(4);
  tracer.poll();
  guest.set64(CONTROL.magic, 0);
  setting.work(4);
  assert.equal(tracer.poll().findings[0].problem, "module gone");
  const { entries, findings } = await tracer.stop();
  assert.equal(findings.length, 1);
  const verified = setting.verify();
  assert.equal(verified.total.verified, entries);
  assert.match(verified.problems.join("; "), /no end for this trace/);
});

Deno.test("nothing is started twice, or stopped without being started", async () => {
  using setting = new Setting();
  const { tracer, options } = setting;
  await assert.rejects(tracer.stop(), /no sealed trace is running/);
  assert.equal(tracer.status(), undefined);
  assert.deepEqual(tracer.poll(), { entries: 0, lost: 0, findings: [] });
  await tracer.start(options);
  await assert.rejects(tracer.start(options), /has started already/);
  await tracer.stop();
  await assert.rejects(
    tracer.start({ ...options, klogPath: "/nonesuch/klog" }),
    XftraceError,
  );
  assert.equal(tracer.running, false);
});

Deno.test("a trace that cannot be continued is taken back without its files", async () => {
  using setting = new Setting();
  const { guest, tracer, options } = setting;
  await tracer.start(options);
  setting.work(3);
  tracer.poll();
  tracer.detach();
  // Somebody changed the recording meanwhile.
  const bytes = Deno.readFileSync(`${setting.folder}/trace.xfts`);
  bytes[bytes.length - 1] ^= 1;
  Deno.writeFileSync(`${setting.folder}/trace.xfts`, bytes);
  const other = setting.find();
  assert.throws(() => other.resume(options), /cannot be continued: block/);
  assert.equal(guest.get32(CONTROL.enabled), 1);
  await other.takeBack();
  assert.equal(guest.get32(CONTROL.enabled), 0);
  assert.equal(guest.get32(CONTROL.registered), 0);
  assert.equal(isClean(setting.verify()), false);
});

Deno.test("the module is switched off even if nothing can be written any more", async () => {
  using setting = new Setting();
  const { guest, tracer, options } = setting;
  await tracer.start(options);
  setting.work(3);
  tracer.poll();
  // As with a full disk: the key log refuses what is appended.
  tracer.mailbox.onCommand = () => {
    throw new XftraceError("the key log cannot be written");
  };
  await assert.rejects(tracer.stop(), /the key log cannot be written/);
  assert.equal(guest.get32(CONTROL.enabled), 0);
  assert.equal(guest.get32(CONTROL.registered), 0);
  assert.equal(guest.carriedOut.at(-1), "unregister");
  assert.equal(tracer.running, false);
});

Deno.test("what can be cut off a recording unnoticed is at most its last second", async () => {
  using setting = new Setting();
  const { tracer, options } = setting;
  await tracer.start(options);
  setting.work(3);
  tracer.poll();
  tracer.checkNow();
  setting.guest.set32(CONTROL.enabled, 0);
  // A finding is noted in the key log at once.
  tracer.checkNow();
  tracer.detach();
  const path = `${setting.folder}/trace.xfts`;
  const whole = Deno.readFileSync(path);
  const uncut = setting.verify();
  assert.match(uncut.problems.join("; "), /while tracing: switched off/);
  assert.doesNotMatch(uncut.problems.join("; "), /was cut/);
  const { start, blocks } = splitRecording(whole);
  for (let kept = 0; kept < blocks.length; kept++) {
    Deno.writeFileSync(path, joinRecording(start, blocks.slice(0, kept)));
    assert.match(setting.verify().problems.join("; "), /the recording was cut/);
    assert.throws(
      () => setting.find().resume(options),
      /cannot be continued: the recording was cut/,
    );
  }
});
