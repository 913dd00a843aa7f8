/**
 * What the file holds that `xftrace kernel-report` writes.
 *
 * @module
 */

/** A name with its number; null: the kernel has none. */
export interface ReportedValue {
  readonly name: string;
  readonly value: number | null;
}

/** A struct or a variable; a size of null: the kernel has none. */
export interface ReportedSize {
  readonly name: string;
  /** In bytes. */
  readonly size: number | null;
}

/** An option with its bit, in hex. */
export interface ReportedOption {
  readonly name: string;
  readonly mask: string;
}

/** A member `STRUCT.PATH`; null: the struct has none, or there is none. */
export interface ReportedMember {
  readonly name: string;
  /** In bytes from the start of the struct. */
  readonly offset: number | null;
  /** In bytes. */
  readonly size: number | null;
  /** In C notation. */
  readonly type: string | null;
  /** Of a bit-field: its first bit, and its width. */
  readonly bits?: readonly [first: number, width: number];
}

/** An event with its format. */
export interface ReportedEvent {
  readonly system: string;
  readonly name: string;
  readonly id: number;
  readonly fields: readonly {
    readonly name: string;
    readonly type: string;
    readonly offset: number;
    readonly size: number;
    readonly signed: boolean;
  }[];
  readonly printFmt: string;
  /** Of a system call: its name, and its arguments as `TYPE NAME`. */
  readonly syscall?: {
    readonly name: string;
    readonly args: readonly string[];
  };
  /** Why its entries are shown as raw fields; null: they are not. */
  readonly raw: string | null;
}

/** All facts of a kernel that xftrace depends on. */
export interface KernelReport {
  readonly format: "xftrace kernel report";
  /** Counts up when a member changes its meaning. */
  readonly version: 1;
  /** The version of xftrace that wrote it. */
  readonly xftrace: string;
  readonly kernel: {
    readonly release: string;
    /** `linux_banner`, without who built it, and where. */
    readonly banner: string;
    readonly arch: string;
    readonly buildId: string | null;
    readonly pageSize: number;
    readonly pagingLevels: number;
    /** Its types; null: they cannot be read. */
    readonly btf: {
      readonly types: number;
      readonly bytes: number;
      readonly sha256: string;
    } | null;
    readonly symbols: {
      readonly count: number;
      /**
       * Of all lines `OFFSET TYPE NAME` in the order of the kernel, in hex from
       * `_text`; of symbols below it, by their value.
       */
      readonly sha256: string | null;
    };
    readonly modules: number;
  };
  /** What of the kernel's configuration shows, and by what. */
  readonly config: readonly {
    readonly name: string;
    readonly value: boolean | number;
    readonly by: string;
  }[];
  /** How the kernel was found. */
  readonly locate: {
    readonly locatedBy: string;
    readonly describedBy: string;
    /** Steps of attaching; none where they were not measured. */
    readonly steps: readonly { readonly step: string; readonly ms: number }[];
    /** What in memory described itself as a kernel. */
    readonly candidates: readonly {
      readonly release: string | null;
      readonly copies: number;
      readonly taken: boolean;
      readonly why: string;
    }[];
    /** Lines of vmcoreinfo that are about the build; null: it has none. */
    readonly vmcoreinfo: readonly string[] | null;
  };
  /** As `doctor` tells it. */
  readonly selfTest: readonly {
    readonly part: string;
    readonly known: boolean;
    readonly found: string;
  }[];
  /** What the kernel allows; why not, if it is refused. */
  readonly outputs: readonly {
    readonly output: string;
    readonly refused: string | null;
  }[];
  readonly ftrace: {
    /** The current one. */
    readonly tracer: string | null;
    /** By the kernel's names, in the order of their bits. */
    readonly options: readonly ReportedOption[];
    /** `enum trace_iterator_bits`. */
    readonly optionBits: readonly ReportedValue[];
    readonly tracers: readonly {
      readonly name: string;
      readonly options: readonly ReportedOption[];
    }[];
    /** `enum trace_flag_type`. */
    readonly entryFlags: readonly ReportedValue[];
    /** `enum trace_type`. */
    readonly entryTypes: readonly ReportedValue[];
    readonly clocks: readonly {
      readonly name: string;
      readonly inNs: boolean;
    }[];
    readonly events: readonly ReportedEvent[];
    /** What of the events could not be read; null: nothing. */
    readonly leftOut: string | null;
  };
  /**
   * Of each check how much it judged, and why it could not be run; null: they
   * were not asked for.
   */
  readonly checks:
    | readonly {
      readonly id: string;
      readonly judged: number;
      readonly unjudged: number;
      readonly notRun: string | null;
    }[]
    | null;
  /** Whether no more was looked for than is listed. */
  readonly complete: boolean;
  /** All that xftrace has looked for, in the order of the names. */
  readonly asked: {
    /** Where each symbol is: `_text+0x1f`; none: there is no such symbol. */
    readonly symbols: readonly {
      readonly name: string;
      readonly at: readonly string[];
    }[];
    readonly structs: readonly ReportedSize[];
    readonly members: readonly ReportedMember[];
    readonly enums: readonly {
      readonly name: string;
      readonly values: readonly ReportedValue[] | null;
    }[];
    readonly enumerators: readonly ReportedValue[];
    readonly variables: readonly ReportedSize[];
    /** Prototypes as C declares them. */
    readonly functions: readonly {
      readonly name: string;
      readonly prototype: string | null;
    }[];
  };
}
