import assert from "node:assert/strict";
import { reportRecording } from "xftrace/seal";
import { pageOf } from "xftrace/output";
import { readPage } from "../../../engine/output/formats/html_fixture.ts";
import { SEAL } from "../../../engine/seal/page/abi.ts";
import {
  FakeCpu,
  recordTrace,
  withFolder,
} from "../../../engine/seal/recording/recording_fixture.ts";
import { sealVerdict, verificationPage } from "./verify.ts";

/** What the page about a recording says. */
function pageAbout(path: string) {
  const result = reportRecording(path, undefined, () => {});
  const { data } = readPage(pageOf(verificationPage(result)));
  // What a trace's page says is of the same kind.
  assert.equal(sealVerdict(result).kind, data.verdict?.kind);
  const tables = new Map(data.tables?.map((each) => [each.title, each.rows]));
  return { ...data, rows: (title: string) => tables.get(title) };
}

Deno.test("a page about a sealed recording has its verdict", () =>
  withFolder((folder) => {
    const { path } = recordTrace(folder, { cpu: new FakeCpu(SEAL.ratchet) });
    const good = pageAbout(path);
    assert.equal(good.title, "Sealed trace of test");
    assert.deepEqual(good.verdict, {
      kind: "good",
      text: "verified: nothing was added, changed or taken away",
    });
    assert.deepEqual(good.rows("Problems"), []);
    const total = good.rows("Entries by CPU")?.at(-1);
    assert.deepEqual(total, ["all", FakeCpu.COUNT, 0, 0, 0, 0, 0, 0, 0]);

    const bytes = Deno.readFileSync(path);
    bytes[bytes.length - 100] ^= 1;
    Deno.writeFileSync(path, bytes);
    const bad = pageAbout(path);
    assert.equal(bad.verdict?.kind, "bad");
    assert.match(bad.verdict?.text ?? "", /^NOT GENUINE/);
    assert.ok((bad.rows("Problems")?.length ?? 0) > 0);
    const result = reportRecording(path, undefined, () => {});
    assert.match(sealVerdict(result).text, /^NOT GENUINE: .+ are shown$/);
  }));

Deno.test("a page is not good about what was not ended, or is sealed weakly", () => {
  for (
    const [seal, ended] of [[SEAL.ratchet, false], [SEAL.xor, true]] as const
  ) {
    withFolder((folder) => {
      const { path } = recordTrace(folder, { cpu: new FakeCpu(seal), ended });
      assert.equal(pageAbout(path).verdict?.kind, "unknown");
    });
  }
});
