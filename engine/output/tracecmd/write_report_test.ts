import assert from "node:assert/strict";
import {
  DAT_KINDS,
  datFile,
  kindName,
  openDatBytes,
} from "../../tracedat/dat_fixture.ts";
import { writeTracecmdReport } from "./write_report.ts";

/** What trace-cmd 3.1.6 prints of these files, whatever their kind. */
const EXPECTED = `cpus=2
                   bash-7     [000]  5000.000000: funcgraph_entry:                   |  function_0() {
                   bash-7     [000]  5000.000001: funcgraph_entry:                   |    function_1() {
                 <idle>-0     [001]  5000.000002: sched_wakeup:         sh:9 [120] CPU:001
                   bash-7     [000]  5000.000004: funcgraph_exit:         2.400 us   |    }
                   bash-7     [000]  5000.000009: funcgraph_exit:         8.000 us   |  }
       CPU:0 [3 EVENTS DROPPED]
              sh-9     [000]  5060.000000: numbers:              200 65534 A|B 0x123456789abcdef0 hello
       [UNKNOWN EVENT][UNKNOWN EVENT] (NULL):               [UNKNOWN EVENT]
other:           <idle>-0     [001]  5060.000001: sched_wakeup:         worker:7 [120] CPU:001
`;

for (const kind of DAT_KINDS) {
  Deno.test(`${kindName(kind)}: the text of trace-cmd report`, () => {
    using trace = openDatBytes(datFile(kind));
    let text = "";
    const { events, lost } = writeTracecmdReport(
      trace,
      (chunk) => text += chunk,
    );
    assert.equal(text, EXPECTED);
    assert.equal(events, 8);
    assert.equal(lost, 3);
  });
}

Deno.test("of one CPU or one instance; an entry and its return make one line", () => {
  using trace = openDatBytes(datFile(DAT_KINDS[0]));
  const read = (options: { cpu?: number; instance?: string }) => {
    let text = "";
    writeTracecmdReport(trace, (chunk) => text += chunk, options);
    return text.split("\n").slice(1, -1);
  };
  assert.deepEqual(read({ cpu: 0 }), [
    "                   bash-7     [000]  5000.000000: funcgraph_entry:                   |  function_0() {",
    "                   bash-7     [000]  5000.000001: funcgraph_entry:        2.400 us   |    function_1();",
    "                   bash-7     [000]  5000.000009: funcgraph_exit:         8.000 us   |  }",
    "       CPU:0 [3 EVENTS DROPPED]",
    "           <...>-9     [000]  5060.000000: numbers:              200 65534 A|B 0x123456789abcdef0 hello",
  ]);
  assert.equal(read({ instance: "other" }).length, 1);
});
