/**
 * The targets of the fuzzer, one for each parser.
 *
 * @module
 */
import type { Target } from "./target.ts";
import { btf } from "./targets/btf.ts";
import { collectorProtocol, collectorState } from "./targets/collector.ts";
import { controlPage, mailbox } from "./targets/control_page.ts";
import { flattenedKdump, kdump, lime, rawLayout } from "./targets/dumps.ts";
import { elfCore } from "./targets/elf_core.ts";
import { instructions, moduleFile, vmlinux } from "./targets/elf_files.ts";
import { guestEvents } from "./targets/guest_events.ts";
import { guestModules } from "./targets/guest_modules.ts";
import { guestRings } from "./targets/guest_rings.ts";
import {
  baseline,
  symbolCache,
  systemMap,
  textRecord,
} from "./targets/host_files.ts";
import { kallsyms, kallsymsScan } from "./targets/kallsyms.ts";
import { manifest } from "./targets/manifest.ts";
import { pageTables } from "./targets/page_tables.ts";
import { printFmt } from "./targets/print_fmt.ts";
import { maps, monitor, qemu } from "./targets/qemu.ts";
import { klog, recording } from "./targets/recording.ts";
import { registers } from "./targets/registers.ts";
import { ringPage } from "./targets/ring_page.ts";
import { spool } from "./targets/spool.ts";
import { traceDat } from "./targets/trace_dat.ts";
import { vmcoreinfo } from "./targets/vmcoreinfo.ts";
import { zstd } from "./targets/zstd.ts";

/** All targets. */
export const TARGETS: readonly Target[] = [
  ringPage,
  guestRings,
  guestEvents,
  guestModules,
  printFmt,
  btf,
  kallsyms,
  kallsymsScan,
  vmcoreinfo,
  pageTables,
  elfCore,
  zstd,
  kdump,
  flattenedKdump,
  lime,
  rawLayout,
  manifest,
  registers,
  instructions,
  vmlinux,
  moduleFile,
  systemMap,
  symbolCache,
  textRecord,
  baseline,
  recording,
  klog,
  controlPage,
  mailbox,
  spool,
  collectorState,
  collectorProtocol,
  qemu,
  maps,
  monitor,
  traceDat,
];

/** The target with a name. */
export function targetNamed(name: string): Target {
  const found = TARGETS.find((target) => target.name === name);
  if (found === undefined) throw new Error(`there is no target ${name}`);
  return found;
}
