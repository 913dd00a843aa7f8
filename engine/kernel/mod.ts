/**
 * A guest's kernel: symbols, types, objects, and functions that can be traced.
 *
 * @module
 */
export type {
  ArrayType,
  CType,
  EnumType,
  FloatType,
  IntType,
  OpaqueType,
  PointerType,
  StructType,
  TypedVariable,
} from "./btf/c_type.ts";
export type {
  Member,
  Parameter,
  Prototype,
  StructLayout,
  Types,
} from "./btf/types.ts";
export { Kernel, type KernelFacts } from "./core/kernel.ts";
export { prototypeText } from "./functions/find_functions.ts";
export type { TraceableFunction } from "./functions/traceable.ts";
export type { SymbolAt, Symbols } from "./symbols/symbols.ts";
export { GuestKernel } from "./view/guest_kernel.ts";
export type * from "./view/object_types.ts";
export type { Mount, TaskFile } from "./view/subsystems.ts";
export {
  kernelReport,
  type KernelReportOptions,
  kernelReportText,
} from "../run/kernel_report.ts";
export { kernelReportSchema } from "../run/kernel_report_schema.ts";
export type {
  KernelReport,
  ReportedEvent,
  ReportedMember,
  ReportedOption,
  ReportedSize,
  ReportedValue,
} from "../run/kernel_report_type.ts";
