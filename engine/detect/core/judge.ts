/**
 * The one rule by which checks judge a pointer to code: whose code may be
 * hooked in where.
 *
 * @module
 */
import type { Report, Severity } from "../finding.ts";
import type { CodeAt } from "../reading/code_map.ts";
import type { CheckContext } from "./context.ts";

/** The kind of code that is allowed at a place. */
export type Allowed =
  /** Only the kernel image. */
  | "image"
  /** The image, BPF, and modules for which the kernel vouches. */
  | "vouched"
  /** Any code that the kernel knows. */
  | "known";

/** How code is reached from a place. */
export type Reached =
  /**
   * By a pointer in data: it leads to the start of a function. No BPF program
   * and no thunk is reached so, by no mechanism of the kernel.
   */
  | "pointer"
  /** By text that the kernel patches: also to code that it has generated. */
  | "text"
  /** By a gate or an instruction pointer: anywhere in code. */
  | "processor";

/** A place that holds a pointer to code. */
export interface HookPlace {
  /** Its name: `kprobe on vfs_read`. */
  readonly where: string;
  /** GVA of the pointer. */
  readonly address: bigint;
  /** GVA of the code that the pointer reaches. */
  readonly target: bigint;
  readonly allowed: Allowed;
  /** Default: by a pointer in data. */
  readonly by?: Reached;
  /** The expected symbol, if it is known. */
  readonly expected?: string;
  /** Severity of an unvouched-for module there. */
  readonly severity?: Severity;
  /** The end of the sentence "X is reached from there: ...", for the user. */
  readonly means?: string;
}

/**
 * Judges a pointer and reports it if its target is not allowed.
 *
 * @returns the code that it reaches
 */
export function judge(
  context: CheckContext,
  report: Report,
  place: HookPlace,
): CodeAt {
  const code = context.code.at(place.target);
  if (code.kind === "unread") {
    report.unjudged(`${place.where}: ${code.name}`, context.code.whyUnread);
    return code;
  }
  report.judged(1);
  const verdict = refuse(context, code, place);
  if (verdict !== undefined) {
    const { severity, why } = verdict;
    const module = code.kind === "module" && place.allowed === "vouched"
      ? code.module
      : undefined;
    report.finding({
      severity,
      where: place.where,
      address: place.address,
      target: place.target,
      summary: `${place.where} leads to ${code.name}, ${why}` +
        (place.means === undefined ? "" : `: ${place.means}`),
      found: code.name,
      ...(place.expected === undefined ? {} : { expected: place.expected }),
      ...(code.module === undefined ? {} : { module: code.module.name }),
      ...(module === undefined ? {} : { hint: context.howToTrust(module) }),
    });
  }
  return code;
}

function refuse(
  context: CheckContext,
  code: CodeAt,
  { allowed, severity = "high", by = "pointer" }: HookPlace,
): { severity: Severity; why: string } | undefined {
  switch (code.kind) {
    case "kernel":
      return intoMiddle(code, by);
    case "unread":
      return undefined;
    case "freed init":
      return { severity: "critical", why: "init code that was freed" };
    case "hidden module":
      return {
        severity: "critical",
        why: `a module that the module list does not show`,
      };
    case "foreign":
      return {
        severity: "critical",
        why: context.code.executable(code.address)
          ? "code that belongs to nobody"
          : "which is no code of the kernel's",
      };
    case "module":
      if (allowed === "known") return intoMiddle(code, by);
      if (allowed === "image") {
        return { severity: "critical", why: "a module and not the kernel" };
      }
      if (code.module !== undefined && context.trusts(code.module)) {
        return intoMiddle(code, by);
      }
      return {
        severity,
        why: `a module that the kernel does not vouch for (${
          code.module?.taints.join(", ") || "not signed"
        })`,
      };
    case "ftrace":
    case "kprobe":
      if (by === "processor" && allowed !== "image") return undefined;
      // Only patched text leads there (XF008, XF009). Their lists are the
      // guest's, so that an entry of them excuses no hook.
      return {
        severity: "critical",
        why: "to which nothing leads but text that the kernel has patched",
      };
    case "bpf":
    case "thunk":
      if (allowed === "image") {
        return {
          severity: "critical",
          why: "generated code and not the kernel's",
        };
      }
      // What is a BPF program is a word of the guest's as well.
      return by === "pointer"
        ? {
          severity: "critical",
          why: "generated code, to which no pointer of the kernel's leads",
        }
        : undefined;
  }
}

/**
 * Refuses what is no start of a function: padding after the last one, or the
 * rest of one without its first instructions.
 */
function intoMiddle(
  { offset }: CodeAt,
  by: Reached,
): { severity: Severity; why: string } | undefined {
  if (by !== "pointer" || offset === 0) return undefined;
  return { severity: "critical", why: "where no function starts" };
}
