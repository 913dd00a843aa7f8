/**
 * What the text of `trace-cmd report` depends on, besides an event's bytes.
 *
 * @module
 */
import type { DatEvent } from "../../tracedat/format_file.ts";
import type { DatFunction } from "../../tracedat/dat_tables.ts";

/** The guest whose events are printed. */
export interface TracecmdGuest {
  readonly longSize: 4 | 8;
  /** Whether numbers in the file are big-endian. */
  readonly bigEndian: boolean;
  /** Whether times are ns, and are shown as seconds. */
  readonly inNs: boolean;
  /** The id of stacks (`kernel_stack`); -1 if there are none. */
  readonly stackType: number;
  /** The function in which an address lies. */
  function(address: bigint): DatFunction | undefined;
  /** The address of a function or variable. */
  symbol(name: string): bigint | undefined;
  /** A text at an address, without its quotes. */
  text(address: bigint): string | undefined;
  /** The names of threads in the file, in its order. */
  comms(): Iterable<readonly [number, string]>;
  /** An event by its id. */
  event(id: number): DatEvent | undefined;
}
