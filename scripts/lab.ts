/** Command line of the lab: `deno task lab up|exec|put|get|list|down`. */
import { Command, Option } from "@commander-js/extra-typings";
import {
  end,
  FLAVOURS,
  Guest,
  LabError,
  MACHINES,
  reap,
  runningGuests,
  stderrProgress,
} from "../lab/mod.ts";

const lab = new Command("lab")
  .usage("COMMAND ...")
  .enablePositionalOptions()
  .description(
    "Boots real Linux guests for tests and demonstrations, and runs commands " +
      "in them.\nA guest ends after an hour at the latest.",
  )
  .addHelpText(
    "after",
    `
Examples:
  deno task lab up web1
  deno task lab up web2 --kernel 6.12 --mem 1G --cpus 4 \\
    --append "ftrace=function_graph trace_buf_size=16M"
  deno task lab exec web1 'cat /sys/kernel/tracing/current_tracer'
  deno task lab put web1 build/hook.ko /tmp/hook.ko
  deno task lab down --all`,
  );

lab.command("up")
  .description("boot a guest; prints its target and its memory file")
  .argument("<name>", "name of the guest")
  .option(
    "--kernel <version>",
    'series of a Debian kernel (6.1, 6.12), "sid" (the newest), path of a vmlinuz, or "none" (firmware only)',
    "6.1",
  )
  .option("--mem <size>", "memory, such as 512M or 4G", "512M")
  .option("--cpus <number>", "processors", "2")
  .option("--append <parameters>", "more kernel parameters", "")
  .option("--no-share", "give it private memory instead of a shared file")
  .option("--agent", "run QEMU's guest agent in it, with a port for it")
  .option("--reboots", "let it restart within its QEMU")
  .option("--cpu <model>", "QEMU's processor model (default: the best)")
  .addOption(
    new Option("--machine <type>", "machine to build").choices(MACHINES)
      .default("q35" as const),
  )
  .addOption(
    new Option("--flavour <build>", "build of Debian's kernel")
      .choices(FLAVOURS).default("amd64" as const),
  )
  .addHelpText(
    "after",
    `
Examples:
  deno task lab up web1
  deno task lab up web2 --agent
  deno task lab up old --cpu qemu64 --machine pc
  deno task lab up own --kernel ./vmlinuz --append "trace_event=sched"`,
  )
  .action(async (name, options) => {
    const progress = stderrProgress(name);
    const started = performance.now();
    try {
      const guest = await Guest.boot({
        ...options,
        name,
        cpus: Number(options.cpus),
        outlive: true,
        onProgress: progress.step,
      });
      progress.done();
      const { kernel, accel } = guest.info;
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`target       ${guest.target}`);
      console.log(`memory file  ${guest.memoryFile ?? "none (not shared)"}`);
      console.log(`kernel       ${kernel} (${accel}, up in ${seconds} s)`);
    } finally {
      progress.done();
    }
  });

lab.command("exec")
  .description("run a shell command in a guest; exits with its status")
  .argument("<name>", "name of the guest")
  .argument("<command...>", "shell command")
  .option("--timeout <seconds>", "kill the command after this time")
  .passThroughOptions()
  .addHelpText(
    "after",
    `
Examples:
  deno task lab exec web1 'uname -a'
  deno task lab exec web1 'cat /sys/kernel/tracing/trace' > trace.txt
  deno task lab exec --timeout 10 web1 'cat /sys/kernel/tracing/trace_pipe'
  deno task lab exec web1 'while :; do ls -R /; done >/dev/null 2>&1 &'`,
  )
  .action(async (name, words, options) => {
    await using guest = Guest.attach(name);
    const stop = new AbortController();
    const interrupt = () => stop.abort();
    Deno.addSignalListener("SIGINT", interrupt);
    stop.signal.addEventListener("abort", () => interrupted = true);
    const { status } = await guest.exec(words.join(" "), {
      timeoutMs: milliseconds(options.timeout),
      signal: stop.signal,
      onOutput: (bytes) => writeAll(bytes),
    });
    Deno.removeSignalListener("SIGINT", interrupt);
    Deno.exitCode = status;
  });

lab.command("put")
  .description("copy a file into a guest")
  .argument("<name>", "name of the guest")
  .argument("<file>", "file on this machine")
  .argument("[dest]", "path in the guest (default: /tmp/FILE)")
  .addHelpText(
    "after",
    `
Example:
  deno task lab put web1 build/hook.ko && \\
    deno task lab exec web1 'insmod /tmp/hook.ko'`,
  )
  .action(async (name, file, dest) => {
    await using guest = Guest.attach(name);
    const base = file.split("/").at(-1) ?? file;
    const to = dest === undefined
      ? `/tmp/${base}`
      : dest.endsWith("/")
      ? dest + base
      : dest;
    await guest.put(file, to);
    console.log(to);
  });

lab.command("get")
  .description("copy a file out of a guest")
  .argument("<name>", "name of the guest")
  .argument("<path>", "path in the guest")
  .argument("[file]", "file on this machine (default: standard output)")
  .addHelpText(
    "after",
    `
Example:
  deno task lab get web1 /sys/kernel/tracing/trace trace.txt`,
  )
  .action(async (name, path, file) => {
    await using guest = Guest.attach(name);
    const bytes = await guest.get(path);
    if (file === undefined) writeAll(bytes);
    else await Deno.writeFile(file, bytes);
  });

lab.command("list")
  .description("show the guests that run")
  .option("--json", "as JSON")
  .action(async (options) => {
    await reap();
    const guests = runningGuests();
    if (options.json) return console.log(JSON.stringify(guests, null, 2));
    if (guests.length === 0) return console.log("no guest runs");
    const rows = guests.map((guest) => [
      guest.name,
      guest.target,
      guest.kernel,
      `${guest.mem}M`,
      String(guest.cpus),
      `${guest.machine}/${guest.accel}`,
      String(guest.pid),
      `${Math.floor((Date.now() - guest.started) / 60_000)} min`,
      guest.memoryFile ?? "none",
    ]);
    table([
      "NAME TARGET KERNEL MEM CPUS MACHINE PID AGE MEMORY-FILE".split(" "),
      ...rows,
    ]);
  });

lab.command("down")
  .description("end a guest, or all of them, and remove their files")
  .argument("[name]", "name of the guest")
  .option("--all", "all guests of this user")
  .action(async (name, options) => {
    if ((name === undefined) === !options.all) {
      throw new LabError(
        "say which guest to end: deno task lab down NAME, or --all",
      );
    }
    await reap();
    const names = name === undefined
      ? runningGuests().map((guest) => guest.name)
      : [Guest.attach(name).name];
    for (const each of names) {
      await end(each);
      console.log(`${each} is down`);
    }
  });

function milliseconds(seconds: string | undefined): number | undefined {
  if (seconds === undefined) return undefined;
  if (Number(seconds) > 0) return Number(seconds) * 1000;
  throw new LabError(
    `"${seconds}" is no number of seconds, as in --timeout 10`,
  );
}

function writeAll(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    at += Deno.stdout.writeSync(bytes.subarray(at));
  }
}

function table(rows: readonly (readonly string[])[]): void {
  const widths = rows[0].map((_, column) =>
    Math.max(...rows.map((row) => row[column].length))
  );
  for (const row of rows) {
    console.log(
      row.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd(),
    );
  }
}

let interrupted = false;
try {
  await lab.parseAsync(["deno", "lab", ...Deno.args]);
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  console.error(`lab: ${error.message}`);
  // 128 + SIGINT, as shells do.
  Deno.exit(interrupted ? 130 : 1);
}
