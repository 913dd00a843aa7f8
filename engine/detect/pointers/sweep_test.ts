/** What the sweep does not look for, it says. */
import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { CheckContext } from "../core/context.ts";
import { sweep } from "./sweep.ts";

/** What is unjudged where no code is anybody's. */
function unjudged(unread: readonly string[], tables: number) {
  const { kernel } = new FixtureGuest(fixtureTypes({}));
  const context: CheckContext = Object.create(CheckContext.prototype, {
    kernel: { value: kernel },
    code: {
      value: {
        modules: [],
        unlisted: [],
        reserves: [],
        unread,
        whyUnread: `whose code it is cannot be told: ${unread.join()}`,
        pages: { executable: [], inRegion: [], unread: tables },
      },
    },
  });
  const { references, unjudged } = sweep(context);
  assert.deepEqual(references, []);
  return unjudged;
}

Deno.test("code whose owner is not known is unjudged, not left out", () => {
  assert.deepEqual(unjudged([], 0), []);
  assert.deepEqual(unjudged(["there is no ftrace_ops_list"], 0), [
    "whose code it is cannot be told: there is no ftrace_ops_list",
  ]);
  assert.deepEqual(unjudged([], 2), [
    "2 page tables could not be read, or are mapped a second time",
  ]);
});
