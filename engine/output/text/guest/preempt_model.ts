/**
 * The kernel's words for its preemption model, in the header of the latency
 * format.
 *
 * @module
 */
import type { Kernel } from "../../../kernel/core/kernel.ts";

/** Words of print_trace_header in kernels without `preempt_model_str`. */
const OLD_WORDS: readonly [string, string][] = [
  ["preempt_dynamic_none", "server"],
  ["preempt_dynamic_voluntary", "desktop"],
  ["preempt_dynamic_full", "preempt"],
  ["preempt_dynamic_lazy", "lazy"],
];

/** More modes than any kernel has. */
const MOST_MODES = 16;

/**
 * The model as the kernel prints it: `desktop` (up to 6.12, print_trace_header
 * in trace.c), `PREEMPT(lazy)` (kernels with preempt_model_str in
 * kernel/sched/core.c). `unknown` also where only the kernel's configuration
 * says which of two it is.
 */
export function preemptModel(
  kernel: Pick<Kernel, "symbols" | "space" | "types" | "facts">,
): string {
  const { symbols, space, types } = kernel;
  const at = symbols.tryAddress("preempt_dynamic_mode");
  const mode = at === undefined ? undefined : space.s32(at);
  // The configuration, as `uname -v` has it.
  const realTime = /\bPREEMPT_RT\b/.test(kernel.facts.banner);
  if (symbols.tryAddress("preempt_model_str") === undefined) {
    if (realTime) return "preempt_rt";
    return OLD_WORDS.find(([name]) => types.tryEnumerator(name) === mode)
      ?.[1] ??
      "unknown";
  }
  if (mode !== undefined) {
    const word = mode < 0 ? "undef" : modeWord(kernel, mode);
    return realTime ? `PREEMPT_{RT,(${word})}` : `PREEMPT(${word})`;
  }
  return "unknown";
}

/**
 * Why the model is not known as the kernel prints it; `undefined` if it is.
 * `preempt_model_str` and the words came together (8bdc5daaa01e, 6.15).
 */
export function preemptModelProblem(
  { symbols, types }: Pick<Kernel, "symbols" | "types">,
): string | undefined {
  const has = (name: string) => symbols.tryAddress(name) !== undefined;
  const dynamic = has("preempt_dynamic_mode");
  const problem = (name: string) =>
    `its preemption model: it has no symbol ${name}`;
  if (
    !dynamic && types.tryEnumerator("preempt_dynamic_full") !== undefined
  ) return problem("preempt_dynamic_mode");
  if (!dynamic) return undefined;
  const words = has("preempt_modes");
  if (!words && !has("preempt_model_str")) {
    // 826bfeb37bb4, "preempt/dynamic: Support dynamic preempt with preempt= boot
    // option" (5.12); lazy came in 6.13.
    const missing = OLD_WORDS.find(([name]) =>
      name !== "preempt_dynamic_lazy" && types.tryEnumerator(name) === undefined
    );
    return missing === undefined
      ? undefined
      : `its preemption model: it has no ${missing[0]}`;
  }
  if (has("preempt_model_str") === words) return undefined;
  return problem(words ? "preempt_model_str" : "preempt_modes");
}

/** A word of `preempt_modes[]`. */
function modeWord(
  { symbols, space }: Pick<Kernel, "symbols" | "space">,
  mode: number,
): string {
  const words = symbols.tryAddress("preempt_modes");
  if (words === undefined || mode >= MOST_MODES) return "unknown";
  const word = space.u64(words + BigInt(8 * mode));
  return word === 0n ? "unknown" : space.string(word, 32);
}
