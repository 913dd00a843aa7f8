import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import type { Finding, Report } from "../finding.ts";
import { compareTold, parseTracefs, type TracefsTexts } from "./told_state.ts";

Deno.test("the output of grep is parsed by file name", () => {
  assert.deepEqual(
    [...parseTracefs(
      "/sys/kernel/tracing/tracing_on:1\n" +
        "set_graph_function:vfs_read\n" +
        "set_graph_function:vfs_write [loop]\n" +
        "no line of grep's\n" +
        "current_tracer:a:b\n",
    )],
    [
      ["tracing_on", "1\n"],
      ["set_graph_function", "vfs_read\nvfs_write [loop]\n"],
      ["current_tracer", "a:b\n"],
    ],
  );
});

/** The report about a guest whose files hold these texts. */
function compare(told: TracefsTexts) {
  const guest = new FixtureGuest(fixtureTypes({}));
  const page = guest.image();
  guest.symbol("ftrace_enabled", page);
  guest.symbol("fgraph_max_depth", page + 4n);
  const { gpa } = guest.space.translate(page);
  guest.view.setUint32(gpa, 0, true);
  guest.view.setUint32(gpa + 4, 7, true);
  const findings: Omit<Finding, "check">[] = [];
  const said: string[] = [];
  const report: Report = {
    finding: (finding) => findings.push(finding),
    unjudged: (what) => said.push(`unjudged ${what}`),
    known: (text) => said.push(text),
    passing: () => assert.fail("nothing changes here"),
    gone: () => assert.fail("nothing goes here"),
    notRun: () => assert.fail("it was run"),
    judged: () => {},
    part: (_, body) => body(),
  };
  compareTold(guest.kernel, report, told);
  return { findings, said, page };
}

Deno.test("files that agree with memory are listed as known, others are findings", () => {
  const { findings, said, page } = compare(
    parseTracefs("ftrace_enabled:1\nmax_graph_depth:7\n"),
  );
  assert.deepEqual(said, [
    "the guest says max_graph_depth is 7, as memory does",
  ]);
  assert.deepEqual(
    findings.map(({ severity, where, address, expected, found }) => [
      severity,
      where,
      address,
      expected,
      found,
    ]),
    [[
      "critical",
      "tracefs' ftrace_enabled",
      page,
      "1 (what the guest says)",
      "0 (what its memory says)",
    ]],
  );
  const [deep] = compare(parseTracefs("max_graph_depth:0\n")).findings;
  assert.equal(deep.severity, "high");
});

Deno.test("a file that cannot be compared does not count as clean", () => {
  assert.deepEqual(compare(parseTracefs("trace_clock:local\n")).said, [
    "unjudged tracefs' trace_clock",
  ]);
});
