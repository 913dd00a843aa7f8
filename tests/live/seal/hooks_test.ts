/**
 * What a hooked system call looks like in a sealed graph, on today's kernels:
 * figure 4 of the paper (docs/paper.md).
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { NEWEST, OLDEST } from "../support_fixture.ts";
import { reportRecording } from "../../../engine/output/sealed/report_recording.ts";
import { isClean } from "../../../engine/seal/recording/verify_recording.ts";
import {
  assertNoOops,
  moduleFor,
  openLoad,
  Scratch,
  SEAL_KERNELS,
  sealedGuest,
  steer,
  traceAround,
  tracerOf,
} from "./support_fixture.ts";

const FIXTURES = "../../../guest/fixtures/seal";

for (const kernel of LONG ? [OLDEST, NEWEST] : SEAL_KERNELS) {
  Deno.test(`hooked system calls show foreign addresses, ${kernel}`, async () => {
    const hooks = {
      seal_hook: await moduleFor(kernel, "seal_hook", FIXTURES),
      seal_hook_notrace: await moduleFor(kernel, "seal_hook_notrace", FIXTURES),
    };
    await using guest = await sealedGuest(kernel);
    using session = steer(guest);
    using scratch = new Scratch();
    const tracer = tracerOf(session);

    const trace = async () => {
      const summary = await traceAround(
        tracer,
        { roots: ["sys_openat"], filter: ["do_sys_openat2"], ...scratch.files },
        () => guest.sh(openLoad(10)),
      );
      assert.deepEqual(summary.findings, []);
      const lines: string[] = [];
      const result = reportRecording(
        scratch.files.recordingPath,
        undefined,
        (line) => lines.push(line),
      );
      assert.deepEqual(result.problems, []);
      assert.ok(isClean(result));
      assert.ok(result.total.verified > 100);
      return { text: lines.join("\n"), foreign: result.foreign };
    };

    const plain = await trace();
    assert.deepEqual(plain.foreign, [], "no hook is seen where none is");
    assert.match(
      plain.text,
      /__x64_sys_openat\(dfd: 0xffffff9c, filename: "\/proc\/self\/maps", flags: 0x\w+, mode: 0x0\)/,
    );
    assert.match(
      plain.text,
      /__x64_sys_openat\(.*from (do_syscall_64|x64_sys_call)\+0x/,
    );

    for (const [name, module] of Object.entries(hooks)) {
      await guest.put(module, `/root/${name}.ko`);
      await guest.sh(`insmod /root/${name}.ko`);
      const hooked = await trace();
      await guest.sh(`rmmod ${name}`);
      const functions = hooked.foreign.filter((f) => f.as === "function");
      const callers = hooked.foreign.filter((f) => f.as === "caller");
      console.log(
        hooked.text.split("\n").slice(5, 11).join("\n"),
        hooked.foreign,
      );
      if (name === "seal_hook") {
        assert.equal(functions.length, 1);
        assert.match(functions[0].name ?? "", /hooked_openat.*\[seal_hook\]/);
        assert.match(hooked.text, /\| {1,3}0xffffffff\w+\(.*not the kernel's/);
      } else {
        assert.deepEqual(functions, [], "it was built not to be traced");
        assert.match(
          hooked.text,
          /__x64_sys_openat\(.*from 0xffffffff\w+.*not the kernel's/,
        );
      }
      assert.ok(callers.length >= 1, "the real call comes from the hook");
      assert.ok(
        callers.every((c) => c.name?.includes(`[${name}]`)),
        JSON.stringify(callers),
      );
    }
    assertNoOops(guest);
  });
}
