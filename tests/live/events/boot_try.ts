import { Guest } from "../../../lab/mod.ts";
import { firstDifference, reportText } from "../matrix/run.ts";
import { attachTo, SLOW, TRACEFS } from "../support_fixture.ts";
const kernel = Deno.args[0] ?? "6.12";
const tracer = Deno.args[1] ?? "function";
const I = `${TRACEFS}/instances/mapped`;
await using guest = await Guest.boot({
  kernel,
  reboots: true,
  cpus: 2,
  append: "reserve_mem=8M:4096:trace trace_instance=mapped@trace",
  onProgress: (s) => console.error(s),
});
const read = async (p: string) =>
  new TextDecoder().decode((await guest.exec(`cat ${p}`, SLOW)).output);
await guest.sh(
  `modprobe veth; modprobe loop; cd ${I}; cat available_tracers; echo ${tracer} > current_tracer; for m in veth loop dummy; do modprobe $m; done
 echo 'vfs_*' > set_ftrace_filter; echo ':mod:loop' >> set_ftrace_filter; echo ':mod:veth' >> set_ftrace_filter
 cat set_ftrace_filter | wc -l
 for e in sched/sched_switch syscalls irq timer kmem/kmalloc module workqueue rcu signal; do echo 1 > events/$e/enable; done; echo 1 > options/stacktrace
 echo 'hello from the boot before' > trace_marker
 ls -lR /proc/self > /dev/null 2>&1; ip link add v0 type veth peer name v1; ip link del v0; losetup -a >/dev/null 2>&1; dd if=/dev/loop0 of=/dev/null count=1 2>/dev/null
 echo 0 > events/enable; echo 0 > tracing_on; echo 1 > tracing_on; for e in sched/sched_switch syscalls/sys_enter_openat timer kmem/kmalloc kmem/kmem_cache_free module rcu workqueue irq; do echo 1 > events/$e/enable; done; echo "hello from before" > trace_marker; modprobe tun; ip link add v0 type veth peer name v1; ip link del v0; losetup -a; echo 0 > tracing_on`,
  SLOW,
).then(console.log, (e) => console.log(String(e)));
const before = await read(`${I}/trace`);
await Deno.writeTextFile(
  `/tmp/kern/boot-${kernel}-${tracer}-before.txt`,
  before,
);
{
  using s = attachTo(guest);
  console.log(
    "before",
    before.split("\n").length,
    firstDifference(reportText(s, "mapped"), before),
  );
}
console.log(await read(`${I}/last_boot_info`));
console.log(await read(`/proc/modules`));
const serial = guest.serialLog().length;
void guest.exec("reboot -f", { timeoutMs: 10_000 }).catch(() => {});
for (
  let i = 0;
  i < 600 && !/lab: ready/.test(guest.serialLog().slice(serial));
  i++
) await new Promise((r) => setTimeout(r, 200));
console.log(
  await read(`${I}/last_boot_info`),
  await read(`${I}/tracing_on`),
  await read(`${I}/current_tracer`),
);
for (
  const step of [
    "plain",
    "modules",
    "fields",
    "raw",
    "hex",
    "latency-format",
    "sym-addr",
    "verbose",
  ]
) {
  if (step === "modules") {
    await guest.sh(
      `modprobe dummy; modprobe loop; modprobe veth; cat /proc/modules`,
      SLOW,
    ).then(console.log);
  }
  if (!["plain", "modules"].includes(step)) {
    await guest.exec(
      `cd ${I}; for o in nofields noraw nohex nolatency-format nosym-addr noverbose ${step}; do echo $o > trace_options; done`,
    );
  }
  const own = await read(`${I}/trace`);
  await Deno.writeTextFile(
    `/tmp/kern/boot-${kernel}-${tracer}-${step}.txt`,
    own,
  );
  using s = attachTo(guest);
  let got = "";
  try {
    got = reportText(s, "mapped");
  } catch (e) {
    console.log(step, String(e));
    continue;
  }
  await Deno.writeTextFile(
    `/tmp/kern/boot-${kernel}-${tracer}-${step}.got`,
    got,
  );
  const a = got.split("\n"), b = own.split("\n");
  let bad = 0;
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i] !== b[i]) {
      if (bad++ < 6) console.log(`  want ${b[i]}\n  got  ${a[i]}`);
    }
  }
  console.log(step, b.length, "lines", bad, "differ");
}
