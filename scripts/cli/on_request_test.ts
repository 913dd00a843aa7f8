import assert from "node:assert/strict";
import { XftraceError } from "../../engine/base/errors.ts";
import type { OnOptions } from "./on_options.ts";
import { plainRequest, sealedRequest, tracerRequest } from "./on_request.ts";

const NONE: OnOptions = {
  cache: true,
  mute: [],
  withoutCpu: [],
  filter: [],
  arguments: true,
  hooks: true,
  event: [],
  eventFilter: [],
  trigger: [],
  set: [],
};
const FILES = { recording: "a.xfs", klog: "a.klog" };

/** The message with which options are refused. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof XftraceError, String(error));
    assert.equal(error.exitCode, 64);
    return error.message;
  }
  assert.fail("not refused");
}

Deno.test("what is not given is not asked for", () => {
  assert.deepEqual(plainRequest(["vfs_read"], NONE), {
    functions: ["vfs_read"],
    mute: [],
    withoutCpu: [],
  });
  assert.deepEqual(tracerRequest([], NONE), {
    functions: [],
    mute: [],
    withoutCpu: [],
    filter: [],
    events: [],
    eventFilters: [],
    triggers: [],
    files: [],
  });
  const sealed = sealedRequest(["vfs_read"], NONE, FILES);
  assert.deepEqual(
    [sealed.seal, sealed.rotateMs, sealed.depth, sealed.interrupts],
    ["siphash+ratchet", 100, 0, false],
  );
});

Deno.test("names may be separated by commas, by spaces or by both", () => {
  const options = { ...NONE, filter: ["vfs_*,  ksys_*", "", " ,x\ty"] };
  const wanted = ["vfs_*", "ksys_*", "x", "y"];
  assert.deepEqual(tracerRequest([], options).filter, wanted);
  assert.deepEqual(sealedRequest([], options, FILES).filter, wanted);
});

Deno.test("the first = parts an event from its text, which may hold others", () => {
  const { eventFilters, triggers } = tracerRequest([], {
    ...NONE,
    eventFilter: ["a:b = c == 1 && d >= 2 "],
    trigger: ["a:b=hist:keys=pid:sort=hitcount"],
  });
  assert.deepEqual(eventFilters, [{ event: "a:b", text: "c == 1 && d >= 2" }]);
  assert.deepEqual(triggers, [{
    event: "a:b",
    text: "hist:keys=pid:sort=hitcount",
  }]);
  for (const text of ["", "=", "a:b", "a:b=", " =x", "a:b=  "]) {
    assert.match(
      refusal(() => tracerRequest([], { ...NONE, trigger: [text] })),
      /^--trigger takes EVENT=TEXT/,
    );
    assert.match(
      refusal(() => tracerRequest([], { ...NONE, eventFilter: [text] })),
      /^--event-filter takes EVENT=TEXT/,
    );
  }
});

Deno.test("a file is set, emptied or added to", () => {
  const { files } = tracerRequest([], {
    ...NONE,
    set: ["options/sym-addr=1", "set_event_pid+= 5 6 ", "x=", "y=a=b+=c"],
  });
  assert.deepEqual(files, [
    { path: "options/sym-addr", text: "1", append: false },
    { path: "set_event_pid", text: "5 6", append: true },
    { path: "x", text: "", append: false },
    { path: "y", text: "a=b+=c", append: false },
  ]);
  for (const text of ["", "=1", "+=1", "options/a", "a b=1", "a++=1"]) {
    assert.match(
      refusal(() => tracerRequest([], { ...NONE, set: [text] })),
      /^--set takes FILE=VALUE/,
      text,
    );
  }
});

Deno.test("numbers that are none are refused by the option's name", () => {
  // The word in the guest has 32 bits: 2^32 would be no limit at all.
  for (const text of ["", "-1", "1.5", "x", "2147483648", "4294967296"]) {
    assert.match(
      refusal(() => plainRequest([], { ...NONE, depth: text })),
      /^--depth/,
      text,
    );
    assert.match(
      refusal(() => plainRequest([], { ...NONE, withoutCpu: ["0", text] })),
      /^--without-cpu/,
      text,
    );
  }
  for (const depth of [0, 2 ** 31 - 1]) {
    assert.equal(plainRequest([], { ...NONE, depth: `${depth}` }).depth, depth);
  }
  assert.match(
    refusal(() => tracerRequest([], { ...NONE, bufferSize: "0" })),
    /^--buffer-size/,
  );
  assert.match(
    refusal(() => sealedRequest([], { ...NONE, rotate: "0" }, FILES)),
    /^--rotate/,
  );
});
