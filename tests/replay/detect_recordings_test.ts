/**
 * Checks of recorded guests, undamaged and damaged, with `--allow-read` alone.
 * These recordings contain only what a trace needs: the call flow can be
 * judged, and most other checks must say that they cannot judge.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { lines } from "../../scripts/examples/checks.ts";
import { encodeBaseline } from "../../engine/detect/flow/baseline.ts";
import { decodeBaseline } from "../../engine/detect/flow/baseline.ts";
import { recordedFlow } from "../../engine/detect/flow/call_flow.ts";
import { checks, selectChecks } from "../../engine/detect/checks.ts";
import { traceLayout } from "../../engine/ftrace/ring/meta.ts";
import { TraceArray } from "../../engine/ftrace/ring/trace_array.ts";
import { runChecks } from "../../engine/detect/core/runner.ts";
import { XftraceError } from "../../engine/base/errors.ts";
import { CoreMemory } from "../../engine/memory/elf_core.ts";
import { bytesSource } from "../../engine/memory/elf_core_source.ts";
import { describeKernel } from "../../engine/kernel/locate/describe.ts";
import { verdictOf } from "../../engine/output/findings/findings_json.ts";
import { openCoreSession, type Session } from "../../engine/session.ts";
import { type Damage, damagedKernel } from "./damaged_memory_fixture.ts";
import { zstdDecompressSync } from "node:zlib";

const KERNELS = ["6.1", "6.12"];
const PAGE = 4096;

const path = (kernel: string) =>
  fileURLToPath(
    import.meta.resolve(`../../testdata/guest-${kernel}.core.zst`),
  );

function open(kernel: string): Session {
  return openCoreSession(`core:${path(kernel)}`, path(kernel));
}

for (const kernel of KERNELS) {
  Deno.test(`checks of the recorded ${kernel} guest`, async () => {
    using session = open(kernel);
    const flow = recordedFlow(session.kernel);
    const baseline = decodeBaseline(
      "test",
      encodeBaseline({ ...flow, release: "", buildId: null }),
    );
    const run = await runChecks(session.kernel, checks, { baseline });
    assert.equal(verdictOf(run), "unjudged");
    assert.deepEqual(run.outcomes.flatMap(({ findings }) => findings), []);
    // A flow compared with itself has no differences.
    for (const id of ["XF021", "XF022"]) {
      const one = run.outcomes.find(({ check }) => check.id === id);
      assert.deepEqual(one?.unjudged, []);
      assert.ok(one !== undefined && one.judged > 0);
    }
    const table = run.outcomes.find(({ check }) => check.id === "XF001");
    assert.match(String(table?.unjudged[0].why), /not saved in the snapshot/);
  });

  Deno.test(`recorded events that are counted and gone, ${kernel}`, () => {
    using session = open(kernel);
    const { kernel: guest } = session;
    assert.deepEqual(recordedFlow(guest).problems, []);
    const { page } = traceLayout(guest.types);
    const buffer = TraceArray.global(guest).buffer();
    const [, cpu] = buffer.cpuBuffers();
    const commit = cpu.commitPage().gpa;
    const ring = guest.space.translate(buffer.object.u64("buffers") + 8n).gpa;
    const told = (gpa: number, value: bigint) => {
      const at = gpa % PAGE;
      const damage = new Map([[gpa - at, { at, value }]]);
      return recordedFlow(damagedKernel(guest, damage));
    };
    const counted = told(commit + page.commit, 0n);
    assert.match(
      counted.problems.join(),
      /^CPU 1: \d+ events are counted in its buffer, and not there$/,
    );
    assert.deepEqual(counted.passing, []);
    // A guest that empties its buffer sets the time first.
    assert.match(
      told(commit + page.timeStamp, 0n).passing?.join() ?? "",
      /^CPU 1: \d+ events say that they are older than their buffer$/,
    );
    assert.deepEqual(told(ring, 0n).problems, [
      "CPU 1 has no ring, though the buffer was made with one",
    ]);
  });

  Deno.test(`the documented script runs on the ${kernel} guest`, async () => {
    using session = open(kernel);
    const selected = selectChecks(["XF001", "XF021"]);
    const said = lines(await runChecks(session.kernel, selected));
    assert.match(said[0], /^XF001 system call table: 0 judged$/);
    assert.match(said[1], /^ {2}not judged: /);
    assert.match(said[2], /^XF021 call flow: \d{4} judged$/);
    assert.equal(said.length, 3);
  });

  Deno.test(`a baseline finds what is new in the ${kernel} guest`, async () => {
    using session = open(kernel);
    const flow = recordedFlow(session.kernel);
    // The most frequent call is removed from the baseline.
    let most = { caller: "", callee: "", total: 0 };
    for (const [caller, { calls, callees }] of flow.flow) {
      for (const [callee, { total }] of callees) {
        if (calls < 20 || total <= most.total) continue;
        most = { caller, callee, total };
      }
    }
    assert.ok(most.total > 0);
    flow.flow.get(most.caller)?.callees.delete(most.callee);
    const baseline = { ...flow, release: "", buildId: null };
    const { outcomes } = await runChecks(
      session.kernel,
      selectChecks(["XF021"]),
      { baseline },
    );
    assert.deepEqual(
      outcomes[0].findings.map(({ where, found }) => `${where}: ${found}`),
      [`${most.caller} -> ${most.callee}: called`],
    );
  });

  Deno.test(`damaged pages of the ${kernel} guest are reported`, async () => {
    using session = open(kernel);
    const pages = session.kernel.memory.dataRanges().flatMap((
      { start, end },
    ) =>
      Array.from({ length: (end - start) / PAGE }, (_, i) => start + i * PAGE)
    );
    let seed = 7;
    const random = () => (seed = (seed * 48271) % 0x7fffffff) / 0x7fffffff;
    const kinds: readonly Damage[] = ["missing", "zero", "garbled"];
    let told = 0;
    for (let round = 0; round < 12; round++) {
      const damage = new Map<number, Damage>();
      for (const page of pages) {
        if (random() < 0.02 * (round + 1)) {
          damage.set(page, kinds[round % kinds.length]);
        }
      }
      const broken = damagedKernel(session.kernel, damage);
      const run = await runChecks(broken, checks);
      assert.notEqual(verdictOf(run), "clean");
      for (const { unjudged } of run.outcomes) {
        for (const { what, why } of unjudged) {
          assert.ok(what.length > 0 && why.length > 0);
        }
      }
      const flow = run.outcomes.find(({ check }) => check.id === "XF021");
      if (flow !== undefined && flow.unjudged.length > 0) told++;
    }
    // Some recorded events are always lost, and this is reported.
    assert.ok(told >= 6, `${told} of 12`);
  });

  Deno.test(`a truncated ${kernel} recording is refused or judged`, async () => {
    const whole = new Uint8Array(
      zstdDecompressSync(Deno.readFileSync(path(kernel))),
    );
    for (const share of [0, 0.001, 0.3, 0.6, 0.9, 0.999]) {
      const bytes = whole.subarray(0, Math.floor(whole.length * share));
      try {
        using memory = new CoreMemory("cut", bytesSource(bytes));
        const cut = describeKernel(
          memory,
          memory.vmcoreinfo === undefined
            ? {}
            : { vmcoreinfo: memory.vmcoreinfo },
        );
        const run = await runChecks(cut, checks);
        assert.equal(verdictOf(run), "unjudged", `${share}`);
      } catch (error) {
        // One clear sentence, no crash.
        assert.ok(error instanceof XftraceError, String(error));
        assert.match(error.message, /^[^\n]{10,}$/);
      }
    }
  });
}
