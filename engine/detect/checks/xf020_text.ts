/**
 * XF020: kernel text.
 *
 * @module
 */
import { compareText } from "../text/compare_text.ts";
import type { CheckContext } from "../core/context.ts";
import { compareKernelText } from "../text/recorded_text.ts";
import { trustedText } from "../text/trusted_text.ts";
import type { Report } from "../finding.ts";
import type { Check } from "../core/check.ts";
import type { Vmlinux } from "../text/vmlinux.ts";

/**
 * Compares the kernel's text with a trusted image, or with its own earlier
 * state.
 */
export const textIntegrity: Check = {
  id: "XF020",
  title: "kernel text",
  technique: "T1601.001",
  help:
    "With --vmlinuz: every byte of the kernel's text is that of the trusted image, relocated, but for the places where the image's own tables say that the kernel patches itself, and what stands there leads to known code. Without it: every byte is what the first check of this boot recorded, but for jump labels, static calls, Ftrace's call sites and kprobes; the first check then only records.",
  run(context, report) {
    const { vmlinux, textRecords } = context.options;
    if (vmlinux !== undefined) return compare(context, report, vmlinux);
    if (textRecords === undefined) {
      report.notRun("no trusted image was given (--vmlinuz)");
      return;
    }
    const result = compareKernelText(context, report, textRecords);
    if (result === "recorded") {
      report.notRun(
        "no trusted image was given (--vmlinuz); its text is recorded now, and later checks compare with that",
      );
    }
  },
};

function compare(
  context: CheckContext,
  report: Report,
  vmlinux: Vmlinux,
): void {
  const { kernel, text } = context;
  const { start, bytes, sites } = trustedText(
    kernel,
    vmlinux,
    context.kprobes.map(({ address }) => address),
  );
  compareText(context, report, {
    what: "kernel text",
    with: "the trusted image",
    start,
    trusted: bytes,
    own: text.bytes.subarray(Number(start - text.start)),
    sites,
  });
}
