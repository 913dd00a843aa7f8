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

Deno.test("on a terminal, no text of the guest's controls it or begins a line", () => {
  const bytes = datFile({ version: 6, little: true, longSize: 8 });
  const text = new TextDecoder("latin1").decode(bytes);
  const put = (what: string, instead: string) => {
    assert.equal(what.length, instead.length);
    for (let at = text.indexOf(what); at >= 0;) {
      bytes.set(Array.from(instead, (char) => char.charCodeAt(0)), at);
      at = text.indexOf(what, at + 1);
    }
  };
  put("hello", "h\x1b[2J");
  put("worker", "w\nor\x9bk");
  put("other", "o\x07her");
  put("function_1", "funct\x1b[31m");
  using trace = openDatBytes(bytes);
  const read = (escaped: boolean) => {
    let all = "";
    writeTracecmdReport(trace, (chunk) => all += chunk, { escaped });
    return all;
  };
  assert.ok(read(false).includes("\x1b"));
  const shown = read(true);
  assert.equal(shown.split("\n").length, EXPECTED.split("\n").length);
  assert.ok(!/[^\n -~]/.test(shown), shown);
  assert.match(shown, /h\\x1b\[2J/);
});
