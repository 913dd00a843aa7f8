/** The report about a kernel: what is in it, and what must not be. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { openCoreSession } from "../../engine/session.ts";
import {
  kernelReport,
  kernelReportText,
} from "../../engine/run/kernel_report.ts";
import { kernelReportSchema } from "../../engine/run/kernel_report_schema.ts";
import { bannerText, vmcoreinfoLines } from "../../engine/run/report_text.ts";
import { hiding, Names } from "../blind/hiding.ts";

function open(series: string) {
  const path = fileURLToPath(
    import.meta.resolve(`../../testdata/guest-${series}.core.zst`),
  );
  return openCoreSession(`core:${path}`, path);
}

for (const series of ["6.1", "6.12"]) {
  Deno.test(`a report about ${series} holds its facts, and no secret of the guest`, () => {
    using session = open(series);
    const { kernel, target } = session;
    const report = kernelReport(session, { checks: true });
    const text = kernelReportText(report);
    const parsed = kernelReportSchema.parse(JSON.parse(text));
    assert.deepEqual(parsed, report);
    const { asked, config, ftrace } = report;
    assert.equal(report.kernel.release, kernel.facts.release);
    assert.equal(report.kernel.symbols.count, kernel.symbols.count);
    assert.equal(config.find(({ name }) => name === "CONFIG_HZ")?.value, 250);
    assert.ok(ftrace.events.length > 1300, `${ftrace.events.length} events`);
    assert.equal(ftrace.clocks.at(-1)?.name, "x86-tsc");
    const flags = asked.members
      .find(({ name }) => name === "trace_array.trace_flags");
    assert.equal(
      flags?.offset,
      kernel.types.offset("trace_array", "trace_flags"),
    );
    const types = asked.symbols.find(({ name }) => name === "global_trace");
    const textGva = kernel.symbols.address("_text");
    const offset = kernel.symbols.address("global_trace") - textGva;
    assert.deepEqual(types?.at, [`_text+0x${offset.toString(16)}`]);
    assert.ok(asked.members.some((member) => member.offset === null));
    assert.ok(asked.symbols.length > 500 && asked.members.length > 100);

    // Where this boot has put the kernel, and who and where the guest is.
    const path = target.slice("core:".length);
    const secrets = [
      textGva.toString(16),
      kernel.facts.kaslrOffset.toString(16),
      path,
      path.slice(0, path.lastIndexOf("/")),
      /\S+@\S+\)/.exec(kernel.facts.banner)?.[0] ?? "a builder",
    ];
    for (const secret of secrets) {
      assert.ok(!text.includes(secret), `it holds ${secret}`);
    }
    const addresses = text.match(/\b(?:0x)?f{4}[0-9a-f]{12}\b/g) ?? [];
    assert.deepEqual(addresses.filter((one) => !one.endsWith("fffff")), []);
    console.log(
      `  ${series}: ${text.length} bytes, ${asked.symbols.length} symbols, ` +
        `${asked.members.length} members`,
    );
  });
}

Deno.test("two reports about a kernel are the same", () => {
  using session = open("6.12");
  const first = kernelReportText(kernelReport(session));
  assert.equal(kernelReportText(kernelReport(session)), first);
});

Deno.test("a report about a kernel that is altered says what it lacks", () => {
  using session = open("6.12");
  const names = new Names();
  names.hidden = "member trace_array.trace_flags";
  const kernel = hiding(session.kernel, names);
  const report = kernelReport({ target: "", ramBytes: 0, kernel });
  const refused = report.outputs.filter(({ refused }) =>
    refused?.includes("trace_array has no trace_flags")
  ).map(({ output }) => output);
  assert.deepEqual(refused, ["options", "info", "report"]);
  assert.ok(report.selfTest.some(({ known }) => !known));
  assert.ok(report.ftrace.events.length > 1300);
  const flags = report.asked.members
    .find(({ name }) => name === "trace_array.trace_flags");
  assert.equal(flags?.offset, null);
});

Deno.test("who built a kernel, and where it was put, is left out", () => {
  assert.equal(
    bannerText("Linux version 6.1 (me@laptop.example) (gcc 12) #1 SMP"),
    "Linux version 6.1 (...) (gcc 12) #1 SMP",
  );
  assert.deepEqual(
    vmcoreinfoLines(
      "OSRELEASE=6.1\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffffa4000000\n" +
        "SIZE(page)=64\nNUMBER(phys_base)=771751936\nNUMBER(PG_lru)=4\n" +
        "KERNELOFFSET=23000000\nCONFIG_X=y\n",
    ),
    [
      "PAGESIZE=4096",
      "SYMBOL(_stext)",
      "SIZE(page)=64",
      "NUMBER(phys_base)",
      "NUMBER(PG_lru)=4",
      "CONFIG_X=y",
    ],
  );
});
