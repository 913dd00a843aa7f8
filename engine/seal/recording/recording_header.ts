/**
 * What stands at the head of a recording: whose it is, and what of the kernel
 * one has to know to judge its entries.
 *
 * @module
 */
import type { ControlPage } from "../page/control_page.ts";
import type { RecordingHeader } from "./recording.ts";
import type { TracerSession } from "../tracer/sealed_types.ts";
import { dispatcherRanges } from "../tracer/trace_config.ts";
import { nonceText } from "./verify_recording.ts";

/** The head of a recording that begins now. */
export function recordingHeader(
  { kernel, target }: TracerSession,
  page: ControlPage,
  seal: number,
  generation: number,
  klogPath: string,
): RecordingHeader {
  const hex = (value: bigint) => `0x${value.toString(16)}`;
  const address = (name: string) => hex(kernel.symbols.tryAddress(name) ?? 0n);
  return {
    seal,
    nonce: nonceText(page.nonce),
    generation,
    klog: klogPath,
    target,
    kernel: kernel.facts.release,
    kernelText: [address("_stext"), address("_etext")],
    dispatcher: dispatcherRanges(kernel).map(({ start, end }) => [
      hex(start),
      hex(end),
    ]),
  };
}
