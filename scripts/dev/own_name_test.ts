import assert from "node:assert/strict";
import { withoutOwnName } from "./own_name.ts";

const OWN = {
  name: "xftrace",
  exports: { ".": "./mod.ts", "./seal": "./engine/seal/mod.ts" },
};

Deno.test("imports of the own name become paths", () => {
  assert.equal(
    withoutOwnName(
      "scripts/cli/a.ts",
      `#!/usr/bin/env deno
/** Why. */
import { z } from "zod";
import {
  a,
  type B,
} from "xftrace";
// And that.
export * from "xftrace/seal";
import { c } from "xftrace/none";
`,
      OWN,
    ),
    `#!/usr/bin/env deno
/** Why. */
import { z } from "zod";
import {
  a,
  type B,
} from "../../mod.ts";
// And that.
export * from "../../engine/seal/mod.ts";
import { c } from "xftrace/none";
`,
  );
  assert.equal(
    withoutOwnName("live.ts", 'import { a } from "xftrace";\n', OWN),
    'import { a } from "./mod.ts";\n',
  );
});

Deno.test("examples and what a program prints keep the name", () => {
  const text = `/**
 * @example
 * import { open } from "xftrace";
 */
import { a } from "./a.ts";
// Like import { b } from "xftrace";

/**
 * import { c } from "xftrace/seal";
 */
export function declarations(): string {
  return \`// For editors.
import type { Empty } from "xftrace";
\`;
}
`;
  assert.equal(withoutOwnName("dsl/names/a.ts", text, OWN), text);
});
