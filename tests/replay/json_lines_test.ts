/** The schema of the format `jsonl` accepts what recorded guests give. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { open } from "xftrace";
import { openInstance, readBuffers } from "xftrace/ftrace";
import {
  formatNamed,
  guestTextOptions,
  traceFileFacts,
  traceLineSchema,
  traceMeta,
  writeBuffers,
} from "xftrace/output";

for (const kernel of ["6.1", "6.12"]) {
  Deno.test(`the recorded ${kernel} guest: every line of jsonl is as documented`, async () => {
    const path = fileURLToPath(
      import.meta.resolve(`../../testdata/guest-${kernel}.core.zst`),
    );
    await using guest = await open(`core:${path}`);
    const { instance, events, layout } = openInstance(guest.session);
    let text = "";
    const totals = writeBuffers(
      readBuffers(instance, layout),
      {
        meta: traceMeta(instance, events, layout),
        options: guestTextOptions(instance),
        target: guest.target,
        file: traceFileFacts(instance, events),
      },
      formatNamed("jsonl").writer((chunk) => text += chunk),
    );
    const lines = text.trimEnd().split("\n");
    assert.ok(totals.events > 1000);
    assert.ok(lines.length >= totals.events);
    for (const line of lines) {
      const parsed = traceLineSchema.safeParse(JSON.parse(line));
      assert.ok(parsed.success, `${line}: ${parsed.error}`);
    }
  });
}
