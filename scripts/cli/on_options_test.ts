import assert from "node:assert/strict";
import { Command } from "@commander-js/extra-typings";
import { XftraceError } from "../../engine/base/errors.ts";
import {
  isTracefs,
  type OnOptions,
  refuseForeign,
  requireForAgent,
  sealName,
  wholeNumber,
  withOnOptions,
} from "./on_options.ts";

function parse(...args: string[]): OnOptions {
  const command = withOnOptions(new Command().exitOverride())
    .argument("[functions...]");
  command.parse(args, { from: "user" });
  return { ...command.opts(), cache: true };
}

Deno.test("repeatable options keep all their values, and take no functions", () => {
  const { event, filter, mute, withoutCpu } = parse(
    ...["--event", "a:b", "--event", "c:*", "--filter", "vfs_*", "sys_read"],
  );
  assert.deepEqual(event, ["a:b", "c:*"]);
  assert.deepEqual(filter, ["vfs_*"]);
  assert.deepEqual([...mute, ...withoutCpu], []);
});

Deno.test("an option that would do nothing is refused, and named", () => {
  const refused = (kind: "sealed" | "plain" | "tracer", ...args: string[]) => {
    try {
      refuseForeign(kind, parse(...args));
    } catch (error) {
      assert.ok(error instanceof XftraceError);
      assert.equal(error.exitCode, 64);
      return error.message;
    }
    return undefined;
  };
  assert.match(refused("plain", "--seal", "xor") ?? "", /^--seal needs the/);
  assert.match(refused("plain", "--filter", "x") ?? "", /^--filter needs the/);
  assert.match(refused("sealed", "--without-cpu", "1") ?? "", /^--without-cpu/);
  assert.match(refused("sealed", "--buffer-size", "9") ?? "", /^--buffer-size/);
  assert.match(refused("tracer", "--rotate", "9") ?? "", /^--rotate is for/);
  assert.equal(refused("plain", "--mute", "x", "--depth", "3"), undefined);
  assert.equal(refused("sealed", "--filter", "x", "--depth", "3"), undefined);
  assert.equal(refused("tracer", "--event", "x", "--clock", "mono"), undefined);
});

Deno.test("--plain excludes options that need the module", () => {
  for (
    const [flag, ...args] of [
      ["--set", "--set", "options/sym-addr=1"],
      ["--event", "--event", "sched:sched_switch"],
      ["--event-filter", "--event-filter", "a:b=c > 1"],
      ["--trigger", "--trigger", "a:b=stacktrace"],
      ["--clock", "--clock", "mono"],
      ["--buffer-size", "--buffer-size", "9"],
      ["--filter", "--filter", "vfs_*"],
      ["--seal", "--seal", "xor"],
    ]
  ) {
    assert.throws(() => refuseForeign("plain", parse("--plain", ...args)), {
      message:
        `--plain and ${flag} exclude each other: ${flag} takes the guest's module, which --plain leaves out`,
      exitCode: 64,
    });
  }
  refuseForeign("plain", parse("--plain", "--mute", "x"));
});

Deno.test("invalid numbers and seals are named", () => {
  assert.equal(wholeNumber("--rotate", "10", 1), 10);
  for (const text of ["", "0", "-1", "1.5", "x", "1e400"]) {
    assert.throws(() => wholeNumber("--rotate", text, 1), /--rotate takes a/);
  }
  assert.equal(sealName("siphash"), "siphash");
  assert.throws(() => sealName("aes"), /--seal takes none, xor,.*"aes"/);
});

Deno.test("--agent is for stock tracers only", () => {
  requireForAgent([], parse("--agent", "--tracer", "function_graph"));
  requireForAgent(["vfs_open"], parse("--agent", "--tracer", "function"));
  for (const flag of ["--plain", "--sealed", "--resume"]) {
    assert.throws(
      () => requireForAgent([], parse("--agent", flag, "--tracer", "nop")),
      new RegExp(`^XftraceError: --agent and ${flag} exclude each other`),
    );
  }
  assert.throws(
    () => requireForAgent(["sys_read"], parse("--agent")),
    /say what with --tracer, --event or --set/,
  );
});

Deno.test("options that set files of tracefs need a tracer when functions are named", () => {
  assert.equal(isTracefs(["sys_read"], parse()), false);
  assert.equal(isTracefs([], parse("--set", "options/sym-addr=1")), true);
  assert.equal(
    isTracefs(["sys_read"], parse("--tracer", "function", "--clock", "mono")),
    true,
  );
  assert.throws(
    () => isTracefs(["sys_read"], parse("--event-filter", "a:b=c > 1")),
    /^XftraceError: --event-filter is for .* --tracer function_graph/,
  );
});
