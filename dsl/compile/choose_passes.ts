/**
 * Pass: lists what the host does to the events, and why the guest does not.
 *
 * @module
 */
import { listed } from "../../engine/base/listed.ts";
import { expressionText } from "../../engine/query/expression.ts";
import type { TargetFacts } from "../../engine/query/facts.ts";
import type { DecodePass } from "../../engine/control/plan.ts";
import type { FunctionTarget } from "../../engine/query/program.ts";
import type { Draft } from "./draft.ts";
import { momentText } from "./moments.ts";
import { filterReason, type PushDown } from "./push_down.ts";

function bytesText(bytes: number): string {
  return bytes >= 1048576
    ? `${Math.round(bytes / 1048576 * 10) / 10} MiB`
    : `${Math.round(bytes / 1024)} KiB`;
}

/** The decode passes of one trace, in the order in which they run. */
export function choosePasses(
  draft: Draft,
  facts: TargetFacts,
  pushed: PushDown,
  push: boolean,
): DecodePass[] {
  const passes: DecodePass[] = [];
  const add = (what: string, text: string, reason = "") => {
    passes.push({ what, text, reason });
  };
  const last = facts.cpus - 1;
  const cpus = `cpu ${last > 0 ? `0-${last}` : "0"}`;
  const { module } = facts.capabilities;
  if (draft.via === "module calls" && module !== undefined) {
    add("entries", `${cpus}, ${module.ringEntries} a ring`);
    add("unseal", `${module.seal}, keys of this run`);
  } else {
    add(
      "pages",
      `${cpus}, ${bytesText(facts.bufferBytes)} a ring`,
      draft.moduleReason === ""
        ? ""
        : `the module is not used: ${draft.moduleReason}`,
    );
  }
  select(draft, facts, pushed, add);
  const kindOf = (field: string) => draft.fields.get(field);
  for (const part of draft.residual) {
    add(
      "filter",
      expressionText(part, kindOf),
      filterReason(draft, facts, push),
    );
  }
  const closures = draft.spec.filters.filter((each) => each.kind === "closure");
  add("merge", "by time stamp");
  closures.forEach((_, i) =>
    add("filter", `closure (${i + 1})`, "a function of the script")
  );
  for (const when of draft.spec.from) add("from", momentText(when));
  for (const when of draft.spec.until) add("until", momentText(when));
  if (draft.spec.every !== undefined) {
    add("windows", `${draft.spec.every / 1e9} s each`);
  }
  return passes;
}

function select(
  draft: Draft,
  facts: TargetFacts,
  pushed: PushDown,
  add: (what: string, text: string, reason?: string) => void,
): void {
  const { short } = facts.functions.syscalls;
  const names = (functions: readonly FunctionTarget[] | undefined) =>
    functions === undefined
      ? "all functions"
      : listed(functions.map(({ name }) => short(name)));
  switch (draft.via) {
    case "events":
      add("events", draft.title);
      return;
    case "syscall events":
      add(
        "calls",
        `sys_enter and sys_exit of ${
          listed(draft.syscalls.map((call) => call.name))
        }, paired by thread`,
      );
      return;
    case "graph returns":
      add(
        "returns",
        `of ${names(draft.functions)}; their entries are not needed`,
        pushed.rootsReason,
      );
      return;
    case "graph calls":
    case "module calls": {
      const { rootsReason, depthReason } = draft.via === "module calls"
        ? pushed.module
        : pushed;
      const under = draft.under.length > 0
        ? ` under ${names(draft.under)}`
        : "";
      add(
        "calls",
        `of ${names(draft.functions)}${under}, entries paired with returns`,
        rootsReason,
      );
      if (draft.spec.depth !== undefined) {
        add(
          "depth",
          draft.spec.depth === Infinity
            ? "all levels"
            : `${draft.spec.depth} levels`,
          draft.spec.depth === Infinity ? "" : depthReason,
        );
      }
    }
  }
}
