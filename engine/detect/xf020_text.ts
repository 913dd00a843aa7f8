/**
 * XF020: kernel text.
 *
 * @module
 */
import type { CheckContext } from "./context.ts";
import { hex } from "./judge.ts";
import { isPlausible, MECHANISMS } from "./patch_sites.ts";
import { type TrustedText, trustedText } from "./trusted_text.ts";
import type { Check, Report } from "./types.ts";

/** More than this many places are one message. */
const MOST = 200;

/** The kernel's text against a trusted image. */
export const textIntegrity: Check = {
  id: "XF020",
  title: "kernel text",
  technique: "T1601.001",
  help:
    "With --vmlinuz: every byte of the kernel's text is that of the trusted image, relocated, but for the places where the image's own tables say that the kernel patches itself. What return thunks, ENDBRs, locks, jump labels and Ftrace may put there is a short list; of alternatives and paravirt calls only the place is known, and XF008 sees branches out of them. Without an image this check is not run.",
  run(context, report) {
    const { options, kernel } = context;
    if (options.vmlinux === undefined) {
      report.notRun("no trusted image was given (--vmlinuz)");
      return;
    }
    const trusted = trustedText(
      kernel,
      options.vmlinux,
      context.kprobes.map(({ address }) => address),
    );
    compare(context, report, trusted);
  },
};

function compare(
  context: CheckContext,
  report: Report,
  { start, bytes, sites }: TrustedText,
): void {
  const own = context.text;
  const shift = Number(start - own.start);
  const length = Math.min(bytes.length, own.bytes.length - shift);
  const explained = new Uint32Array(MECHANISMS.length);
  let places = 0;
  report.judged(length);
  for (let i = 0; i < length; i++) {
    if (bytes[i] === own.bytes[i + shift]) continue;
    const mechanism = sites.marks[i];
    const site = i + shift - sites.offsets[i];
    if (
      mechanism !== 0 &&
      isPlausible(MECHANISMS[mechanism], own.bytes.subarray(site, site + 8))
    ) {
      explained[mechanism]++;
      continue;
    }
    // To the last difference that is near and not explained either.
    let end = i + 1;
    for (let j = i + 1; j < Math.min(length, end + 8); j++) {
      if (bytes[j] !== own.bytes[j + shift] && sites.marks[j] === mechanism) {
        end = j + 1;
      }
    }
    const found = own.bytes.subarray(i + shift, end + shift);
    if (isBentCall(bytes, own.bytes, shift, i, sites.calls)) {
      explained[MECHANISMS.indexOf("call depth tracking")] += end - i;
    } else if (places++ < MOST) {
      const at = context.code.at(start + BigInt(i));
      report.finding({
        severity: "critical",
        where: at.name,
        address: at.address,
        expected: hex(bytes.subarray(i, Math.min(end, i + 32))),
        found: hex(found.subarray(0, 32)),
        summary: `${
          end - i
        } bytes of ${at.name} are not those of the trusted image`,
      });
    }
    i = end - 1;
  }
  if (places > MOST) {
    report.unjudged(
      "kernel text",
      `it differs from the trusted image in ${places} places, of which the first ${MOST} are listed`,
    );
  }
  MECHANISMS.forEach((name, i) => {
    if (explained[i] > 0) report.known(`${explained[i]} bytes by ${name}`);
  });
}

/**
 * Whether a difference at `i` is a call bent to the padding in front of its
 * function (arch/x86/kernel/callthunks.c).
 */
function isBentCall(
  trusted: Uint8Array,
  own: Uint8Array,
  shift: number,
  i: number,
  calls: ReadonlySet<number>,
): boolean {
  for (let at = i - 4; at < i; at++) {
    if (!calls.has(at) || own[at + shift] !== trusted[at]) continue;
    const distance = (bytes: Uint8Array, from: number) =>
      new DataView(bytes.buffer, bytes.byteOffset).getInt32(from + 1, true);
    const back = distance(trusted, at) - distance(own, at + shift);
    return back > 0 && back <= 32;
  }
  return false;
}
