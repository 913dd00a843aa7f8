import assert from "node:assert/strict";
import { flow, GOOD, HOOKED } from "../../detect/flow/flow_fixture.ts";
import { flowDiffText } from "./findings_flow.ts";

Deno.test("two flows are drawn side by side, with differences marked", () => {
  const { text, differences } = flowDiffText(
    flow(1, GOOD),
    flow(1, HOOKED),
    { width: 14 },
  );
  assert.equal(
    text,
    [
      "sys()            sys()",
      "               >   evil()",
      "               >     open()",
      "               >       walk()",
      "  open() ...   <",
      "",
    ].join("\n"),
  );
  assert.equal(differences, 4);
});
