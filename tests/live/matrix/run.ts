/**
 * Boots the matrix's guests, reads each one in all ways, and makes a table of
 * the results.
 *
 * @module
 */
import { linkSync, rmSync, unlinkSync } from "node:fs";
import { TEXT } from "../../../engine/output/formats/text.ts";
import { readBuffers } from "../../../engine/ftrace/ring/reader.ts";
import {
  guestTextOptions,
  traceMeta,
} from "../../../engine/output/text/trace_meta.ts";
import { writeBuffers } from "../../../engine/output/write_buffers.ts";
import type { Session } from "../../../engine/session.ts";
import { takeSnapshot } from "../../../engine/snapshot/snapshot.ts";
import { attach } from "../../../ffi/attach.ts";
import { Guest, LabError } from "../../../lab/mod.ts";
import { collectInfo } from "../../../engine/run/guest_info.ts";
import { openInstance } from "../../../engine/ftrace/ring/open_instance.ts";
import { reserveHugePages } from "./huge_pages.ts";
import { dimmsOf, guestOptions, type MatrixCase, type View } from "./cases.ts";
import { infoMismatches, record, type Recorded } from "./guest.ts";

/** One line of the table. */
export interface Row {
  readonly case: MatrixCase;
  readonly view: View;
  /** The differences that were found; if empty, all is exact. */
  readonly wrong: readonly string[];
  /** Number of lines in the reports of both instances. */
  readonly lines: number;
  /** Time to attach without a cache, ms. */
  readonly attachMs: number;
}

/** How often a guest is booted again if it crashes during boot. */
const BOOTS = 3;

/** Runs one case: one guest. */
export async function runCase(
  one: MatrixCase,
  onProgress: (step: string) => void = () => {},
): Promise<Row[]> {
  const failed = (view: View, error: unknown): Row => {
    const message = error instanceof Error ? error.message : String(error);
    const wrong = [message.split("\n")[0]];
    return { case: one, view, wrong, lines: 0, attachMs: 0 };
  };
  let guest: Guest;
  using undo = new DisposableStack();
  try {
    if (one.backing === "huge-memfd" || one.backing === "huge-file") {
      undo.use(reserveHugePages(one.mem === "4G" ? 4096 : 512));
    }
    guest = await boot(one, onProgress);
  } catch (error) {
    return one.views.map((view) => failed(view, error));
  }
  const work = `/dev/shm/xftrace-matrix-${guest.name}`;
  const rows: Row[] = [];
  try {
    const plugged = await plug(guest, one);
    onProgress("recording");
    const recorded = await record(guest);
    const bytes = (one.mem === "4G" ? 4096 : 512) * 2 ** 20 + plugged;
    for (const view of one.views) {
      onProgress(view);
      try {
        rows.push(await look(one, view, guest, work, recorded, bytes));
      } catch (error) {
        rows.push(failed(view, error));
      }
    }
  } catch (error) {
    const oops = /^.*(BUG:|Oops:|Kernel panic).*$/m.exec(guest.serialLog());
    const cause = oops === null
      ? error
      : new Error(`the guest's kernel failed: ${oops[0].trim()}`);
    rows.push(...one.views.map((view) => failed(view, cause)));
  } finally {
    await guest.down();
    for (const ending of ["", ".core", ".snap.zst"]) {
      rmSync(work + ending, { force: true });
    }
  }
  return rows;
}

/**
 * Boots a case's guest, several times if necessary: on emulated processors, a
 * 6.12 kernel sometimes faults in its allocator (seen with QEMU 7.2).
 */
async function boot(
  one: MatrixCase,
  onProgress: (step: string) => void,
): Promise<Guest> {
  for (let attempt = 1;; attempt++) {
    try {
      const name = `mx-${crypto.randomUUID().slice(0, 8)}`;
      return await Guest.boot({ name, ...guestOptions(one), onProgress });
    } catch (error) {
      if (!(error instanceof LabError) || attempt === BOOTS) throw error;
      onProgress("the guest died as it booted; trying again");
    }
  }
}

/** Plugs in DIMMs, and waits until the guest uses them; returns all bytes. */
async function plug(guest: Guest, one: MatrixCase): Promise<number> {
  const dimms = dimmsOf(one);
  if (dimms.length === 0) return 0;
  for (const [index, { type, share, mib }] of dimms.entries()) {
    await guest.qmp("object-add", {
      "qom-type": type,
      "id": `late${index}`,
      "size": mib * 2 ** 20,
      "share": share,
    });
    await guest.qmp("device_add", {
      "driver": "pc-dimm",
      "id": `dimm${index}`,
      "memdev": `late${index}`,
    });
  }
  // Once online, the kernel uses it, also for its page tables and buffers.
  await guest.sh(
    `for i in $(seq 50); do
       [ $(grep -c '^1[0-9a-f]*-.*System RAM' /proc/iomem) = ${dimms.length} ] && break
       sleep 0.2
     done
     for m in /sys/devices/system/memory/memory*/state; do
       echo online > $m 2>/dev/null
     done; true`,
  );
  return dimms.reduce((sum, { mib }) => sum + mib * 2 ** 20, 0);
}

async function look(
  one: MatrixCase,
  view: View,
  guest: Guest,
  work: string,
  recorded: Recorded,
  bytes: number,
): Promise<Row> {
  const target = await prepare(view, guest, work);
  const start = performance.now();
  using session = attach(target, { safeRead: view === "safe-read" });
  const attachMs = performance.now() - start;
  const off = view === "left-over";
  const recording = view === "qmp-core" || view === "snapshot";
  const info = collectInfo(session, openInstance(session));
  const wrong = infoMismatches(info, recorded.facts, {
    ...(recording ? {} : { bytes }),
    online: !off,
  });
  // A guest that powers off takes its other CPUs offline first.
  const online = (text: string) => off ? text.replace(/#P:\d+/, "#P:?") : text;
  let lines = 0;
  for (const instance of [undefined, "second"]) {
    const got = reportText(session, instance);
    const want = instance === undefined ? recorded.trace : recorded.second;
    const difference = firstDifference(online(got), online(want));
    if (difference !== undefined) {
      wrong.push(`report of ${instance ?? "the top level"}: ${difference}`);
    }
    lines += want.split("\n").length - 1;
  }
  return { case: one, view, wrong, lines, attachMs };
}

/** Prepares a target for a way of reading; returns its name. */
async function prepare(
  view: View,
  guest: Guest,
  work: string,
): Promise<string> {
  switch (view) {
    case "pid":
      return `pid:${guest.pid}`;
    case "file":
      return `file:${guest.memoryFile}`;
    case "deleted":
      if (guest.memoryFile === undefined) throw new Error("no memory file");
      // Kept under another name for the ways that follow.
      linkSync(guest.memoryFile, work);
      unlinkSync(guest.memoryFile);
      return guest.target;
    case "qmp-core":
      await guest.qmp("dump-guest-memory", {
        paging: false,
        protocol: `file:${work}.core`,
      });
      return `core:${work}.core`;
    case "snapshot": {
      using session = attach(guest.target);
      await takeSnapshot(session, `${work}.snap.zst`);
      return `core:${work}.snap.zst`;
    }
    case "left-over": {
      try {
        linkSync(guest.memoryFile ?? "", work);
      } catch {
        // The way "deleted" has made this link.
      }
      await guest.exec("poweroff -f", { timeoutMs: 15_000 }).catch(() => {});
      for (let i = 0; guest.running && i < 50; i++) {
        await new Promise((done) => setTimeout(done, 100));
      }
      // A machine without ACPI halts, and QEMU does not end.
      if (guest.running) await guest.qmp("quit").catch(() => {});
      return `file:${work}`;
    }
    default:
      return guest.target;
  }
}

/** The output of `report`, or of `report --snapshot`. */
export function reportText(
  session: Session,
  name?: string,
  snapshot = false,
): string {
  const { instance, events, layout } = openInstance(session, name);
  const part = snapshot ? instance.snapshot() : instance.shown();
  if (part === undefined) throw new Error("no snapshot buffer");
  const reading = readBuffers(
    instance,
    layout,
    { part },
  );
  let text = "";
  writeBuffers(
    reading,
    {
      meta: traceMeta(instance, events, layout, { part }),
      options: guestTextOptions(instance),
    },
    TEXT.writer((chunk) => text += chunk),
  );
  return text;
}

/** The first line that differs. */
export function firstDifference(
  got: string,
  want: string,
): string | undefined {
  if (got === want) return undefined;
  const a = got.split("\n");
  const b = want.split("\n");
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i] === b[i]) continue;
    return `line ${i + 1} of ${b.length}: got ${JSON.stringify(a[i])}, ` +
      `want ${JSON.stringify(b[i])}`;
  }
  return "differs";
}

/** The table. */
export function tableText(rows: readonly Row[]): string {
  const cells = [
    [
      "kernel",
      "flavour",
      "machine",
      "RAM",
      "CPUs",
      "paging",
      "backing",
      "read by",
      "attach",
      "lines",
      "info and report",
    ],
    ...rows.map((row) => [
      row.case.kernel,
      row.case.flavour.replace("-amd64", ""),
      row.case.machine === "pc" ? "i440fx" : row.case.machine,
      row.case.mem,
      String(row.case.cpus),
      `${row.case.paging}-level`,
      row.case.backing,
      row.view,
      `${row.attachMs.toFixed(0)} ms`,
      String(row.lines),
      row.wrong.length === 0 ? "exact" : `WRONG: ${row.wrong[0]}`,
    ]),
  ];
  const widths = cells[0].map((_, i) =>
    Math.max(...cells.map((line) => i === 10 ? 0 : line[i].length))
  );
  return cells.map((line) =>
    line.map((cell, i) =>
      i === 8 || i === 9 ? cell.padStart(widths[i]) : cell.padEnd(widths[i])
    ).join("  ").trimEnd()
  ).join("\n") + "\n";
}
