/**
 * Checks of text without a trusted image, and of modules with their files:
 * parts of the test of the hooks, which boots the guest.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readRelocatable } from "../../../engine/detect/text/relocatable.ts";
import { sealedFlow } from "../../../engine/detect/flow/sealed_flow.ts";
import type { SealedTracer } from "../../../engine/seal/tracer/sealed_tracer.ts";
import { textRecords } from "../../../engine/detect/text/text_record.ts";
import type { CheckRun } from "../../../engine/detect/core/runner.ts";
import { jumpSites } from "../../../engine/kernel/patching/jump_labels.ts";
import { readImage } from "../../../engine/kernel/patching/text_image.ts";
import type { Session } from "../../../engine/session.ts";
import { findKernel } from "../../../lab/packages/kernel.ts";
import { toldByModule } from "../../../scripts/cli/ask_guest.ts";
import { moduleFiles } from "../../../scripts/cli/module_files.ts";
import { askGuest, nobodyToAsk } from "./ask_guest_fixture.ts";
import { assertClean, check, findingsOf } from "./support_fixture.ts";
import {
  moduleFor,
  openLoad,
  pollUntil,
  Scratch,
  traceAround,
  tracerOf,
} from "../seal/support_fixture.ts";
import type { Guest } from "../support_fixture.ts";

/** The files of the modules that a series' guests load. */
export async function modulesOf(series: string) {
  const { modules } = await findKernel(series, "amd64", () => {});
  assert.ok(modules !== undefined);
  return moduleFiles([modules]);
}

/** Writes one byte of the guest's memory; returns what undoes it. */
function poke(session: Session, gva: bigint, value: number): () => void {
  const { kernel, memory } = session;
  // Memory is written in aligned words.
  const word = gva & ~3n;
  const shift = 8n * (gva & 3n);
  const { gpa } = kernel.space.translate(word);
  const was = BigInt(kernel.space.u32(word));
  const now = (was & ~(0xffn << shift)) | BigInt(value) << shift;
  const write = (from: bigint, to: bigint) =>
    assert.equal(memory.compareExchange(gpa, 4, from, to), from);
  write(was, now);
  return () => write(now, was);
}

function notRun(run: CheckRun): (string | undefined)[] {
  return run.outcomes.map(({ notRun }) => notRun);
}

/** XF020, XF023 and XF024 find one changed byte, without a trusted image. */
export async function textWithoutImage(
  series: string,
  guest: Guest,
  session: Session,
): Promise<void> {
  const { kernel } = session;
  await guest.sh("modprobe veth; modprobe tun");
  const folder = Deno.makeTempDirSync();
  try {
    const options = { textRecords: textRecords(folder, "boot") };
    const ids = ["XF020", "XF023", "XF024"];
    const first = await check(kernel, ids, options);
    assertClean(first);
    assert.match(String(notRun(first)[0]), /its text is recorded now/);
    assert.match(String(notRun(first)[2]), /their text is recorded now/);
    for (const { name } of Deno.readDirSync(folder)) {
      assert.equal(Deno.statSync(`${folder}/${name}`).mode, 0o100600);
    }
    // Used while it is checked: what the kernel patches is explained.
    await guest.sh(`cd /sys/kernel/tracing
      echo 'p:one vfs_read+4' > kprobe_events; echo 1 > events/kprobes/enable
      echo 'vfs_* veth_*' > set_ftrace_filter; echo function > current_tracer
      echo 1 > events/sched/enable`);
    const second = await check(kernel, ids, options);
    await guest.sh(`cd /sys/kernel/tracing; echo nop > current_tracer
      echo 0 > events/enable; echo > kprobe_events; echo > set_ftrace_filter`);
    assertClean(second);
    assert.deepEqual(notRun(second), [undefined, undefined, undefined]);

    const files = { moduleFiles: await modulesOf(series) };
    const whole = await check(kernel, ids, files);
    assertClean(whole);
    const judged = whole.outcomes[2].judged;
    assert.ok(judged > 50_000, `${judged} bytes of modules' text`);

    // A no-op with another displacement, or prefix, is still a no-op.
    const text = readImage(kernel, "_stext", "_etext");
    const [usual, older] = kernel.arch.ftraceSites.nops;
    const siteOf = (nop: Uint8Array) =>
      jumpSites(kernel).find(({ code }) => {
        const at = Number(code - text.start);
        return nop.every((byte, i) => text.bytes[at + i] === byte);
      });
    const site = siteOf(usual) ?? siteOf(older);
    assert.ok(site !== undefined);
    let undo = siteOf(usual) === undefined
      ? poke(session, site.code + 3n, 0x2e)
      : poke(session, site.code + 4n, 1);
    const label = findingsOf(await check(kernel, ids, options));
    undo();
    assert.deepEqual(label.map(({ check }) => check), ["XF020", "XF023"]);
    assert.match(label[1].where, /^jump label at /);

    // Nothing runs after the last function of a module.
    kernel.live.refresh();
    const veth = kernel.live.modules.find(({ name }) => name === "veth");
    assert.ok(veth !== undefined);
    const last = veth.text.end - 1n;
    assert.equal(kernel.space.u8(last), 0);
    undo = poke(session, last, 0x90);
    const byRecord = findingsOf(await check(kernel, ids, options));
    const byFile = findingsOf(await check(kernel, ids, files));
    undo();
    for (const [finding, ...more] of [byRecord, byFile]) {
      assert.deepEqual(more, []);
      assert.equal(finding.check, "XF024");
      assert.equal(finding.module, "veth");
      assert.equal(finding.found, "90");
    }
    assert.match(byFile[0].summary, /are not those of .*veth\.ko/);
    assertClean(await check(kernel, ids, options));
  } finally {
    Deno.removeSync(folder, { recursive: true });
    await guest.sh("modprobe -r veth; modprobe -r tun");
  }
}

/** XF021 with sealed recordings finds a hook that Ftrace does not see. */
async function sealedCallFlow(
  guest: Guest,
  session: Session,
  tracer: SealedTracer,
  fixtures: string,
): Promise<void> {
  const { kernel } = session;
  using scratch = new Scratch();
  const { recordingPath } = scratch.files;
  const trace = async () => {
    await traceAround(
      tracer,
      { roots: ["sys_openat"], filter: ["do_sys_openat2"], ...scratch.files },
      () => guest.sh(openLoad(10)),
    );
    return sealedFlow(recordingPath);
  };
  const good = await trace();
  assert.deepEqual(good.problems, []);
  const calls = good.flow.get("__x64_sys_openat");
  assert.ok(calls !== undefined && calls.calls >= 20);
  const within = calls.callees.get("do_sys_openat2")?.within;
  assert.equal(within, calls.calls);
  const baseline = { ...good, buildId: null };
  assertClean(await check(kernel, ["XF021"], { recorded: good, baseline }));

  await guest.put(`${fixtures}/det_ftrace.ko`, "/tmp/det_ftrace.ko");
  await guest.sh("insmod /tmp/det_ftrace.ko hidden=1");
  try {
    const recorded = await trace();
    const found = findingsOf(
      await check(kernel, ["XF021"], { recorded, baseline }),
    );
    const foreign = found.filter(({ where }) =>
      where === "caller of __x64_sys_openat"
    );
    assert.ok(foreign.length > 0, found.map(({ where }) => where).join(", "));
    assert.ok(foreign.every(({ module }) => module === "det_ftrace"));
    // A recording that was tampered with is not accepted as genuine.
    const bytes = Deno.readFileSync(recordingPath);
    bytes[bytes.length >> 1] ^= 1;
    Deno.writeFileSync(recordingPath, bytes);
    const tampered = sealedFlow(recordingPath, scratch.files.klogPath);
    assert.ok(tampered.problems.length > 0);
    const run = await check(kernel, ["XF021"], { recorded: tampered });
    assert.notDeepEqual(run.outcomes[0].unjudged, []);
  } finally {
    await guest.sh("rmmod det_ftrace");
  }
}

/** XF019 compares memory with what the guest's own tracefs says. */
async function toldByGuest(session: Session): Promise<void> {
  const told = new Map(await toldByModule(session));
  assert.ok(told.size >= 4);
  const agrees = await check(session.kernel, ["XF019"], { tracing: { told } });
  assertClean(agrees);
  assert.match(
    agrees.outcomes[0].known.join("\n"),
    /the guest says tracing_on is 1, as memory does/,
  );
  told.set("tracing_on", "0\n");
  const lies = await check(session.kernel, ["XF019"], { tracing: { told } });
  assert.deepEqual(findingsOf(lies).map(({ where }) => where), [
    "tracefs' tracing_on",
  ]);
}

/** The project's own module, which hooks the kernel, is recognised. */
export async function ownModule(
  series: string,
  guest: Guest,
  session: Session,
  fixtures: string,
): Promise<void> {
  const { kernel } = session;
  const file = await moduleFor(series);
  await guest.put(file, "/tmp/xftrace.ko");
  await nobodyToAsk(guest);
  await guest.sh("insmod /tmp/xftrace.ko");
  await toldByGuest(session);
  await askGuest(guest, session);
  using scratch = new Scratch();
  const tracer = tracerOf(session);
  await tracer.start({ ...scratch.files, roots: ["__x64_sys_getcwd"] });
  try {
    const genuine = readRelocatable("xftrace.ko", file);
    const moduleFiles = (name: string) => name === "xftrace" ? [genuine] : [];
    const unknown = await pollUntil(tracer, check(kernel, ["XF004"]));
    const hints = findingsOf(unknown).map(({ module, hint }) =>
      `${module}: ${hint}`
    );
    assert.ok(hints.length > 0, "the module's hooks were not found");
    for (const hint of hints) {
      assert.match(hint, /^xftrace: .*--modules xftrace\.ko.*--trust-module/);
    }
    assertClean(await pollUntil(tracer, check(kernel, [], { moduleFiles })));

    // One byte as in another build, or in another module of that name.
    const other = new Uint8Array(file);
    const section = genuine.sections.find(({ name }) => name === ".text");
    assert.ok(section !== undefined);
    other[section.bytes.byteOffset - file.byteOffset + 100] ^= 1;
    const wrong = readRelocatable("other.ko", other);
    const refused = await pollUntil(
      tracer,
      check(kernel, ["XF004"], { moduleFiles: () => [wrong] }),
    );
    assert.equal(findingsOf(refused).length, hints.length);
    assert.match(String(findingsOf(refused)[0].hint), /not that of other\.ko/);
    await tracer.stop();
    await sealedCallFlow(guest, session, tracer, fixtures);
  } finally {
    if (tracer.running) await tracer.stop();
    await guest.sh("rmmod xftrace");
  }
}
