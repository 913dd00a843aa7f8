/** XF029 finds what leads to a module's code, wherever the pointer is kept. */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { selectChecks } from "../../../engine/detect/checks.ts";
import { CheckContext } from "../../../engine/detect/core/context.ts";
import { readOnce } from "../../../engine/detect/core/runner.ts";
import { sleep } from "../../../engine/base/polling.ts";
import type { Session } from "../../../engine/session.ts";
import { buildFixtures } from "./support_fixture.ts";
import {
  attachTo,
  bootGuest,
  KERNELS,
  NEWEST,
  OLDEST,
} from "../support_fixture.ts";

/**
 * The ways of det_refs, where the pointer is kept, and to what it leads. Caches
 * of objects of one size are merged, so that not all have their own name.
 */
const WAYS: readonly (readonly [string, RegExp, string])[] = [
  ["pack", /^(ptype_all|net_hotdata\+|init_net)/, "packet"],
  ["heap", /^kmalloc-/, "det_packet"],
  ["fop", /^kmalloc-/, "det_read"],
  ["seq", /^seq_file 0x[0-9a-f]+: op$|^\w+ 0x/, "seq_ops"],
  ["prot", /skc_prot$/, "own_proto"],
  ["tcp", /^tcp_prot\+/, "det_recvmsg"],
  ["sysrq", /^sysrq_key_table\+/, "sysrq_op"],
  ["console", /^univ8250_console\+|^console_list/, "console"],
  ["dumper", /^dump_list/, "dumper"],
  ["netdev", /_nb\+|_notifier\+|^netdev_chain/, "block"],
  ["inetaddr", /_notifier\+|^inetaddr_chain/, "block"],
  ["irq", /^kmalloc-/, "det_irq"],
  ["work", /^timer_bases.* of CPU \d+$/, "work"],
  ["timer", /^kmalloc-/, "det_timer"],
  ["thread", /^stack of process \d+ \(kworker\/9:1\), /, "det_thread"],
  ["binfmt", /^formats$/, "format"],
  ["cpuhp", /^cpuhp_hp_states\+/, "det_online"],
  // Without an input device there is only the list of handlers.
  ["input", /^kmalloc-|^input_handler_list/, "handler"],
  ["misc", /^misc_list$/, "misc"],
  ["dentry", /^dentry 0x[0-9a-f]+: d_op$/, "dops"],
  ["aops", /i_data\.a_ops$/, "aops"],
  ["netops", /^kmalloc-/, "netdev"],
  ["rx", /^kmalloc-/, "det_rx"],
  ["congestion", /^tcp_cong_list|^cubictcp\+/, "congestion"],
  ["ldisc", /^tty_ldiscs\+/, "ldisc"],
  ["ip", /^inet_protos\+/, "protocol"],
  ["softirq", /^softirq_vec\+/, "det_softirq"],
  ["ready", / 0x[0-9a-f]+/, "det_ready"],
  ["encap", / 0x[0-9a-f]+/, "det_encap"],
];

/** As many as the runner makes at most. */
const READINGS = 24;

for (const kernel of LONG ? [OLDEST, NEWEST] : KERNELS) {
  Deno.test(`pointers to a module's code in a ${kernel} guest are found`, async (t) => {
    const folder = await buildFixtures(kernel);
    await using guest = await bootGuest(kernel);
    using session = attachTo(guest, true);
    await guest.put(`${folder}/det_refs.ko`, "/tmp/det_refs.ko");
    const withModule = async (parameters: string) => {
      await guest.sh(`insmod /tmp/det_refs.ko ${parameters}`);
      try {
        return await places(session);
      } finally {
        await guest.sh("rmmod det_refs");
      }
    };
    await t.step("nothing leads to a module that hooks nothing", async () => {
      assert.deepEqual(await withModule(""), []);
      assert.deepEqual(await places(session), []);
    });
    for (const [way, where, names] of WAYS) {
      await t.step(way, async () => {
        const found = await withModule(`what=${way}`);
        assert.ok(
          found.some((one) =>
            where.test(one.where) && one.summary.includes(names)
          ),
          `found instead: ${found.map(({ summary }) => summary).join("\n")}`,
        );
      });
    }
    await t.step("nothing leads there when it is unloaded", async () => {
      assert.deepEqual(await places(session), []);
    });
  });
}

/**
 * What one reading finds that could judge everything: a running guest changes
 * lists while they are read. That every reading finds it is the runner's task.
 */
async function places({ kernel }: Session) {
  const [check] = selectChecks(["XF029"]);
  for (let tries = 1;; tries++) {
    const reading = readOnce(kernel, check, new CheckContext(kernel, {}));
    // Init code that was just freed is nobody's until its pages are.
    const whole = reading.unjudged.length === 0 &&
      reading.findings.every(({ severity }) => severity !== "critical");
    if (whole) return reading.findings;
    if (tries === READINGS) {
      assert.deepEqual(reading.unjudged, []);
      return reading.findings;
    }
    await sleep(200);
  }
}
