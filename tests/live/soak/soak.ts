/**
 * The soak: for an hour, guests work steadily while keys change every 10 ms,
 * and the memory of what traces them is measured.
 *
 * On the first guest, one `xftrace on` with its collector and one `show` last
 * the whole time. On the second, one process of the library begins and ends
 * sealed traces, and `xftrace on --plain` and `off` follow each other.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ask } from "../../../scripts/collector/protocol.ts";
import { Guest } from "../../../lab/mod.ts";
import { moduleFor, Scratch } from "../seal/support_fixture.ts";
import { User } from "../seal/user_fixture.ts";
import { assertNoOops, ended, startXftrace } from "../support_fixture.ts";
import { workSteadily } from "./load.ts";
import { Samples } from "./memory.ts";
import type { Cycle } from "./service.ts";

const USAGE = `usage: deno task soak [--minutes N] [--cycle S] [--kernel V]

  --minutes N  how long; default 60
  --cycle S    seconds of one trace among those that follow each other;
               default 60
  --kernel V   the guests' kernel; default 6.1`;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    cycle: { type: "string", default: "60" },
    kernel: { type: "string", default: "6.1" },
    help: { type: "boolean", short: "h", default: false },
  },
});
const minutes = Number(values.minutes);
const cycleSeconds = Number(values.cycle);
if (values.help || !(minutes > 0 && minutes <= 100) || !(cycleSeconds > 0)) {
  console.log(USAGE);
  Deno.exit(values.help ? 0 : 64);
}

const CPUS = 2;
const SAMPLE_MS = 2000;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (text: string) =>
  console.log(`${new Date().toISOString().slice(11, 19)} ${text}`);
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

async function workingGuest(): Promise<Guest> {
  const module = await moduleFor(values.kernel);
  const guest = await Guest.boot({
    kernel: values.kernel,
    cpus: CPUS,
    mem: "512M",
    lifeSeconds: Math.min(7200, 60 * minutes + 900),
  });
  await guest.put(module, "/tmp/xftrace.ko");
  await guest.sh("insmod /tmp/xftrace.ko");
  await workSteadily(guest, CPUS);
  return guest;
}

/** Counts the bytes of a stream, and gives its end as text. */
async function drained(
  stream: ReadableStream<Uint8Array>,
): Promise<{ bytes: number; end: string }> {
  let bytes = 0;
  let end = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    bytes += chunk.length;
    end = (end + decoder.decode(chunk)).slice(-2000);
  }
  return { bytes, end };
}

/** Lines of a stream, as they come. */
async function eachLine(
  stream: ReadableStream<Uint8Array>,
  visit: (line: string) => void,
): Promise<void> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (text + chunk).split("\n");
    text = lines.pop() ?? "";
    lines.forEach(visit);
  }
}

/** Ends and reads traces of the guest's own Ftrace, until the time is over. */
async function plainCycles(user: User, over: () => boolean): Promise<number> {
  let count = 0;
  while (!over()) {
    await user.ok("on", "--plain");
    const collector = new Samples("plain", user.collector);
    const end = performance.now() + 1000 * cycleSeconds;
    while (performance.now() < end) await sleep(500);
    collector.take();
    const off = await user.ok("off");
    count++;
    assert.match(off, /counts equal the guest's own/, off);
    say(
      `plain ${count}: ${off.trim().split("\n").join("; ")}; own memory ${
        mib(1024 * (collector.last?.own ?? NaN))
      }`,
    );
  }
  return count;
}

const until = { end: Infinity };
const over = () => performance.now() >= until.end;

await using long = await workingGuest();
await using short = await workingGuest();
using operator = new User(long);
using other = new User(short);
using scratch = new Scratch();
say(`two guests work, kernel ${values.kernel}`);

await operator.ok("on", "sys_openat", "--filter", "vfs_open", "--rotate", "10");
const show = startXftrace(["show", "-t", long.target]);
const shown = drained(show.stdout);
const showSaid = drained(show.stderr);
const service = new Deno.Command(Deno.execPath(), {
  args: [
    ...["run", "--quiet", "--allow-all"],
    fileURLToPath(import.meta.resolve("./service.ts")),
    ...[short.target, scratch.folder, String(cycleSeconds)],
  ],
  stdin: "piped",
  stdout: "piped",
}).spawn();
const cycles: Cycle[] = [];
const served = eachLine(service.stdout, (line) => {
  const cycle: Cycle = JSON.parse(line);
  cycles.push(cycle);
  say(`sealed ${cycles.length}: ${line}`);
});
until.end = performance.now() + 60_000 * minutes;
const plain = plainCycles(other, over);
// Its failure is reported by the await below.
plain.catch(() => until.end = 0);

const longLived = [
  new Samples("collector of a sealed trace", operator.collector),
  new Samples("show", show.pid),
  new Samples("library, on and off", service.pid),
];
let nextLine = performance.now();
while (!over()) {
  for (const each of longLived) {
    assert.ok(each.take(), `${each.name} has ended`);
  }
  if (performance.now() >= nextLine) {
    nextLine += 60_000;
    const reply = await ask(operator.kept("control"), { do: "status" });
    assert.ok(reply !== undefined && "status" in reply);
    const { events, lost, bytes, sealed } = reply.status;
    say(
      `${events} entries, ${lost} lost, ${sealed?.keySwitches} keys, ${sealed?.findings.length} findings, recording ${
        mib(bytes)
      }, key log ${
        mib(Deno.statSync(operator.path("trace.klog")).size)
      }; own memory ${
        longLived.map(({ name, last }) =>
          `${name} ${mib(1024 * (last?.own ?? NaN))}`
        ).join(", ")
      }`,
    );
  }
  await sleep(SAMPLE_MS);
}
const plainCount = await plain;
await service.stdin.close();
await served;
show.kill("SIGINT");
await show.status;

const off = operator.start("off", "--json");
const offMemory = new Samples("off", off.pid);
let offPeak = 0;
const offOutput = off.output();
let offOver = false;
offOutput.finally(() => offOver = true);
while (!offOver) {
  if (offMemory.take()) offPeak = Math.max(offPeak, offMemory.last?.own ?? 0);
  await sleep(200);
}
const { code, stdout, stderr } = await offOutput;
const text = new TextDecoder().decode(stdout);
say(
  `off: exit code ${code}, own memory up to ${mib(1024 * offPeak)}; ${
    text.replace(/\s+/g, " ").slice(0, 1500)
  } ${new TextDecoder().decode(stderr)}`,
);
const verify = await ended(
  startXftrace(["verify", operator.path("trace.xfs")]),
);
say(`verify: exit code ${verify.code}; ${verify.out.replace(/\s+/g, " ")}`);
say(
  `show: ${(await shown).bytes} bytes of text; ${(await showSaid).end.trim()}`,
);
say(
  `${cycles.length} sealed traces and ${plainCount} plain ones on the second guest`,
);
for (const each of longLived) console.log(each.text());

assert.equal(code, 0, "the recording is not genuine");
assert.equal(verify.code, 0);
assert.ok(cycles.length > 0);
for (const cycle of cycles) {
  assert.ok(cycle.clean && cycle.findings === 0, JSON.stringify(cycle));
  assert.equal(cycle.verified, cycle.entries);
}
assertNoOops(long);
assertNoOops(short);
Deno.exit(longLived.every(({ flat }) => flat) ? 0 : 1);
