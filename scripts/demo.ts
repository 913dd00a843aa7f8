/**
 * `deno task demo`: traces a real guest from beginning to end, or reads a
 * recorded one where no guest can be booted.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { Guest, LabError, stderrProgress } from "../lab/mod.ts";

const HEAD_LINES = 24;
const SECONDS = 5;
const RECORDING = "../testdata/guest-6.1.core.zst";

/** Functions that the demo's guest traces. */
const FILTER = [
  "__x64_sys_*",
  "do_*open*",
  "do_filp*",
  "path_*",
  "link_path_walk*",
  "getname*",
  "vfs_*",
  "ksys_*",
  "security_file*",
  "kmem_cache_*",
  "seq_*",
  "*_show",
].join(",");

/** A load for the guest: opens and reads files. */
const LOAD =
  "(while :; do find /sys/kernel /proc/self -name x >/dev/null 2>&1; grep -c a /proc/meminfo /proc/stat; done) >/dev/null 2>&1 &";

function say(text = ""): void {
  console.log(text);
}

/** Runs the command as a user would; prints the command line and its output. */
async function xftrace(
  args: readonly string[],
  options: { show?: boolean } = {},
): Promise<{ code: number; text: string }> {
  if (options.show !== false) say(`$ xftrace ${args.join(" ")}`);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-all",
      "--config",
      fileURLToPath(import.meta.resolve("../deno.json")),
      fileURLToPath(import.meta.resolve("./xftrace.ts")),
      ...args,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stdout);
  const said = new TextDecoder().decode(stderr);
  if (options.show !== false) Deno.stdout.writeSync(stdout);
  if (said !== "") Deno.stderr.writeSync(new TextEncoder().encode(said));
  if (code !== 0) throw new Error(`xftrace ${args[0]} ended with ${code}`);
  return { code, text };
}

function showHead(path: string): void {
  const lines = Deno.readTextFileSync(path).split("\n");
  say(`$ head -${HEAD_LINES} trace_graph.txt`);
  say(lines.slice(0, HEAD_LINES).join("\n"));
  say();
}

/** Traces a running guest: info, on, status, off. */
async function live(guest: Guest, folder: string): Promise<void> {
  const target = ["-t", guest.target];
  const graph = `${folder}/trace_graph.txt`;
  await guest.sh(LOAD);
  await xftrace(["info", ...target]);
  say();
  await xftrace(["on", "sys_openat", "sys_read", ...target]);
  say(`  (${SECONDS} seconds pass)`);
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
  await xftrace(["status", ...target]);
  say();
  await xftrace(["off", ...target, "--proc", "-o", graph]);
  say();
  showHead(graph);
  const text = Deno.readTextFileSync(graph);
  const calls = (name: string) => text.split(`${name}() {`).length - 1;
  say("Summary");
  say(`  guest             ${guest.info.kernel}, never stopped`);
  say(`  trace_graph.txt   ${text.split("\n").length} lines`);
  say(`  sys_openat        ${calls("__x64_sys_openat")} calls`);
  say(`  sys_read          ${calls("__x64_sys_read")} calls`);
}

/** Reads a recorded guest instead: info, report. */
async function replay(why: string): Promise<void> {
  const recording = fileURLToPath(import.meta.resolve(RECORDING));
  say("*".repeat(72));
  say("No guest can be booted here, so this is a RECORDED one:");
  say(`  ${why}`);
  say("*".repeat(72));
  say();
  await xftrace(["info", "-t", `core:${recording}`]);
  say();
  const { text } = await xftrace(["report", "-t", `core:${recording}`], {
    show: false,
  });
  const lines = text.split("\n");
  say(`$ xftrace report -t core:testdata/... | head -${HEAD_LINES}`);
  say(lines.slice(0, HEAD_LINES).join("\n"));
  say();
  say(`Summary\n  ${lines.length - 1} lines replayed from a recording`);
}

async function main(): Promise<void> {
  let guest: Guest;
  const progress = stderrProgress("guest");
  say("Booting a guest whose kernel traces calls from its start ...");
  try {
    guest = await Guest.boot({
      name: `demo-${Deno.pid}`,
      // A filter, since an emulated guest is slow to boot, and may hang, when
      // all of its functions are patched for the tracer at once.
      append: `ftrace=function_graph ftrace_filter=${FILTER} ` +
        "ftrace_graph_filter=__x64_sys_close,__x64_sys_write " +
        "trace_buf_size=8M",
      onProgress: progress.step,
    });
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    progress.done();
    await replay(error.message);
    return;
  }
  progress.done();
  const folder = Deno.makeTempDirSync({ prefix: "xftrace-demo-" });
  try {
    say();
    await live(guest, folder);
  } finally {
    await guest.down();
    Deno.removeSync(folder, { recursive: true });
  }
  say("  the guest is shut down, nothing is left behind");
}

await main();
