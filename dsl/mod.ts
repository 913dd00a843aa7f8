/**
 * All exports of the trace language.
 *
 * @module
 */
export { all, any, Condition, not } from "./condition.ts";
export { compile, type CompileOptions } from "./compile/compile.ts";
export { CompileError } from "./errors.ts";
export {
  type AnyField,
  arg,
  args,
  caller,
  comm,
  type CommonKinds,
  cpu,
  depth,
  duration,
  type DurationField,
  field,
  type FieldRef,
  func,
  type FunctionField,
  name,
  type NumberField,
  pid,
  ret,
  type SizeField,
  type TextField,
  ts,
} from "./fields.ts";
export { fn, kernel } from "./functions.ts";
// `export *`, so that declarations of `xftrace types` can extend these.
export * from "./names/events.ts";
export type * from "./names/functions.ts";
export * from "./names/syscalls.ts";
export { process, ProcessCondition } from "./process.ts";
export { Query } from "./query.ts";
export { type QueryTarget, type RunQueries, setRunner } from "./runner.ts";
export { event, syscalls, trace } from "./sources.ts";
// `export *`: trace.ts exports the result types of the sinks as well.
export * from "./trace.ts";
export type { Window } from "../engine/passes/windows.ts";
export type { CallFields, EventFields, EventOf } from "./types.ts";
export { asDuration, type Duration, type Size } from "./units.ts";
export type { Plan } from "../engine/control/plan.ts";
export { planJson, planText } from "../engine/control/plan_text.ts";
