/**
 * The files that `xftrace on` leaves for `status` and `off`: one folder per
 * guest.
 *
 * @module
 */
import { existsSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import {
  END_TEXT,
  type GuestEnd,
  isFull,
  isMissing,
  makeOwnFolder,
  readHostTextIfThere,
  replaceHostFile,
  requireOwnFolder,
  type Session,
  unwritable,
  XftraceError,
} from "xftrace";

const hex = z.string().regex(/^0x[0-9a-f]+$/).transform((text) => BigInt(text));

const wordSchema = z.object({
  way: z.literal("word"),
  change: z.object({
    way: z.literal("word"),
    what: z.string(),
    where: z.string(),
    gva: hex,
    width: z.union([z.literal(4), z.literal(8)]),
    mask: hex,
    before: hex,
    after: hex,
    counts: z.boolean().optional(),
    exact: z.boolean().optional(),
    guards: z.array(z.object({ where: z.string(), gva: hex, value: hex }))
      .readonly()
      .optional(),
  }),
  found: hex,
  pending: z.boolean().optional(),
});

const fileSchema = z.object({
  way: z.literal("tracefs"),
  change: z.object({
    way: z.literal("tracefs"),
    by: z.literal("agent").optional(),
    path: z.string(),
    text: z.string(),
    append: z.boolean(),
    before: z.discriminatedUnion("known", [
      z.object({
        known: z.literal(true),
        text: z.string(),
        whenUsed: z.boolean().optional(),
      }),
      z.object({ known: z.literal(false) }),
    ]),
    remove: z.string().optional(),
  }),
  left: z.string().optional(),
});

const instanceSchema = z.object({
  way: z.literal("instance"),
  change: z.object({
    way: z.literal("instance"),
    by: z.literal("agent").optional(),
    name: z.string(),
  }),
});

/** A change that was carried out; the same shape as the engine's `Applied`. */
const appliedSchema = z.discriminatedUnion("way", [
  wordSchema,
  fileSchema,
  instanceSchema,
]);

const sealedSchema = z.object({
  seal: z.enum(["none", "xor", "siphash", "siphash+ratchet"]),
  rotateMs: z.number().positive(),
  /** Functions by name, or globs. */
  roots: z.array(z.string()),
  filter: z.union([z.literal("all"), z.array(z.string())]),
  depth: z.int().nonnegative(),
  interrupts: z.boolean(),
  arguments: z.boolean(),
  hooks: z.boolean(),
  /** Absolute paths. */
  klogPath: z.string(),
  recordingPath: z.string(),
  /** Whether to take over a running trace whose collector was killed. */
  resume: z.boolean(),
});

/** The settings of a sealed trace. */
export type SealedState = z.infer<typeof sealedSchema>;

/** The format of the state; another version of xftrace may have another. */
const FORMAT = 2;

const formatSchema = z.object({ format: z.int() });

const stateSchema = z.object({
  format: z.literal(FORMAT),
  /** As the user wrote it, or as it was found: `qemu:web1`. */
  target: z.string(),
  instance: z.string().optional(),
  /** Functions as the user named them: `sys_openat`. */
  functions: z.array(z.string()),
  /** GVAs of the functions to which the text is limited; empty: all. */
  roots: z.array(hex),
  /** The changes that were carried out, in order. */
  applied: z.array(appliedSchema),
  /** Whether files of tracefs were set for it, by the module or the agent. */
  byFiles: z.boolean(),
  /** Whether the guest was recording before `on`. */
  wasRecording: z.boolean(),
  /** Wall clock, ISO 8601. */
  started: z.string(),
  /**
   * Whether `off` has written the text already; then only `applied` remains to
   * be undone.
   */
  collected: z.boolean().optional(),
  /**
   * Whether the guest was moved to another process since: what was changed in it
   * goes on there.
   */
  migrated: z.boolean().optional(),
  /** pid of the collector; 0 until it runs. */
  collector: z.int().nonnegative(),
  /**
   * Which boot of the guest it is about: what was changed in one must not be
   * undone in another.
   */
  boot: z.string().optional(),
  /** Settings of a sealed trace; absent when the guest's own Ftrace records. */
  sealed: sealedSchema.optional(),
});

/** The state of a running trace. */
export type TraceState = z.infer<typeof stateSchema>;

/** The state's note about which boot of the guest it is about. */
export function bootState(
  { kernel }: Pick<Session, "kernel">,
): Pick<TraceState, "boot"> {
  return kernel.origin === undefined ? {} : { boot: kernel.origin.boot };
}

/** Whether a trace is about an earlier boot of the guest. */
export function isOtherBoot(
  { kernel }: Pick<Session, "kernel">,
  { boot }: Pick<TraceState, "boot">,
): boolean {
  return boot !== undefined && boot !== kernel.origin?.boot;
}

/** The reason of a collector that stopped because its guest is gone. */
export function goneReason(end: GuestEnd): string {
  return `the guest ${END_TEXT[end]}`;
}

/** Whether a collector stopped because its guest is gone. */
export function isGone({ reason }: Pick<CollectorResult, "reason">): boolean {
  return Object.values(END_TEXT).some((text) => reason === `the guest ${text}`);
}

/** Validates the result of a collector. */
export const resultSchema = z.object({
  /**
   * Why the collector stopped: `off`, `the guest has ended`, `the guest was
   * restarted`.
   */
  reason: z.string(),
  /**
   * Absolute path of the text that the collector has written: the one that
   * `off` asked for, or its own when the guest ended first.
   */
  output: z.string().optional(),
  events: z.number(),
  kept: z.number(),
  lines: z.number(),
  lost: z.number(),
  dropped: z.number(),
  truncated: z.boolean(),
  /** Whether the counts equal the guest's own. */
  exact: z.boolean(),
  /** How often the guest emptied a CPU's buffer. */
  resets: z.number(),
  /** How often of these it may have held events that were not read yet. */
  blindResets: z.number().optional(),
  /**
   * Which file of the host could not be written, so that nothing was collected
   * from then on.
   */
  failed: z.string().optional(),
  /** For a sealed trace only. */
  sealed: z.object({
    keySwitches: z.number(),
    dropped: z.object({
      nmi: z.number(),
      unkeyed: z.number(),
      nested: z.number(),
    }),
    findings: z.array(z.object({ problem: z.string(), detail: z.string() })),
  }).optional(),
});

/** The result that a collector leaves when it is done. */
export type CollectorResult = z.infer<typeof resultSchema>;

/** More than what `off` writes to end a trace. */
const RESERVE_BYTES = 1 << 17;
const FIX = "set XDG_STATE_HOME to another folder";

/** The folder of one guest. */
export class StateFolder {
  readonly path: string;

  /** @param key identifies the guest: `vm-1234-567`, see Session.key */
  constructor(key: string, base = stateBase()) {
    this.path = join(base, key);
  }

  get #state(): string {
    return join(this.path, "state.json");
  }
  /** The file in which the collector keeps events. */
  get spool(): string {
    return join(this.path, "spool");
  }
  /** The collector's log. */
  get log(): string {
    return join(this.path, "collector.log");
  }
  /** The socket at which a collector listens. */
  get socket(): string {
    return join(this.path, "control");
  }
  /** The file that a collector keeps locked for as long as it runs. */
  get running(): string {
    return join(this.path, "running");
  }
  /** The text that a collector wrote on its own when the guest ended. */
  get text(): string {
    return join(this.path, "trace_graph.txt");
  }
  get #result(): string {
    return join(this.path, "result.json");
  }

  /** Holds room, so that a trace can be ended when the disk is full. */
  get #reserve(): string {
    return join(this.path, "reserve");
  }

  /**
   * Makes the folder, accessible to the user only, and reserves room in it.
   *
   * @throws {XftraceError} when somebody else could change what is in it, or
   * when it cannot be written.
   */
  create(): void {
    makeOwnFolder(dirname(this.path));
    makeOwnFolder(this.path);
    try {
      replaceHostFile(this.#reserve, new Uint8Array(RESERVE_BYTES));
    } catch (error) {
      this.remove();
      throw unwritable(this.#reserve, error, FIX);
    }
  }

  /**
   * Removes the folder with all its files.
   *
   * @throws {HostWriteError} when it cannot be removed.
   */
  remove(): void {
    const names: string[] = [];
    try {
      names.push(...[...Deno.readDirSync(this.path)].map(({ name }) => name));
    } catch {
      // It is not there; or removing it fails, and says why.
    }
    // The state is the last, since what is left of a removal that is cut short
    // must still be a trace that can be ended.
    const paths = names.map((name) => join(this.path, name))
      .filter((path) => path !== this.#state);
    for (const path of [...paths, this.#state, this.path]) {
      try {
        rmSync(path, { force: true, recursive: true });
      } catch (error) {
        throw unwritable(this.path, error, "remove it yourself");
      }
    }
  }

  /** Replaces a file as a whole, if need be with the room that is reserved. */
  #write(path: string, content: unknown): void {
    const text = json(content);
    try {
      replaceHostFile(path, text);
    } catch (error) {
      if (!isFull(error) || !existsSync(this.#reserve)) {
        throw unwritable(path, error, FIX);
      }
      rmSync(this.#reserve, { force: true });
      this.#write(path, content);
    }
  }

  /** Whether there is a trace: running, or not yet ended by `off`. */
  exists(): boolean {
    try {
      Deno.lstatSync(this.#state);
      return true;
    } catch {
      return false;
    }
  }

  /** Refuses a folder that somebody else could change, if there is one. */
  #requireOwn(): void {
    try {
      requireOwnFolder(this.path);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  /**
   * Reads the state; `undefined` when there is no trace.
   *
   * @throws {XftraceError} when it is damaged, written by another version of
   * xftrace, or when somebody else could have written it: what it holds is
   * written to the guest.
   */
  read(): TraceState | undefined {
    this.#requireOwn();
    const text = readText(this.#state);
    if (text === undefined) return undefined;
    try {
      const content: unknown = JSON.parse(text);
      const other = formatSchema.safeParse(content).data?.format;
      if (other !== undefined && other !== FORMAT) {
        throw this.#otherFormat(other);
      }
      return stateSchema.parse(content);
    } catch (error) {
      if (error instanceof XftraceError) throw error;
      throw new XftraceError(
        `${this.#state} is damaged; look at the guest's tracing_on yourself, then remove ${this.path}`,
        { cause: error },
      );
    }
  }

  #otherFormat(format: number): XftraceError {
    return new XftraceError(
      `${this.#state} was written by another version of xftrace (format ${format}, and this version reads ${FORMAT}): run \`xftrace off\` with the version that began the trace, or look at the guest's tracing_on yourself, then remove ${this.path}`,
    );
  }

  /** Whether the process that ran the guest is still there. */
  guestRuns(): boolean {
    // See Session.key: `vm-PID-START`, with the start time that /proc says.
    const [, pid, start] = /^vm-(\d+)-(\d+)$/.exec(basename(this.path)) ?? [];
    const stat = pid === undefined
      ? undefined
      : readHostTextIfThere(`/proc/${pid}/stat`, { limit: TEXT_BYTES });
    return stat?.slice(stat.lastIndexOf(")")).split(" ")[20] === start;
  }

  /** Replaces the state, atomically. */
  write(state: TraceState): void {
    this.#write(this.#state, state);
  }

  /**
   * Reads the result; `undefined` while the collector runs or when it was
   * killed.
   */
  readResult(): CollectorResult | undefined {
    this.#requireOwn();
    const text = readText(this.#result);
    if (text === undefined) return undefined;
    try {
      return resultSchema.parse(JSON.parse(text));
    } catch {
      // Damaged: treated as missing.
      return undefined;
    }
  }

  /** Removes what was collected, but not what is still to be undone. */
  dropCollected(): void {
    for (const path of [this.spool, this.text]) rmSync(path, { force: true });
  }

  /** Replaces the result, atomically. */
  writeResult(result: CollectorResult): void {
    this.#write(this.#result, result);
  }
}

/** Where the folders are. They may grow large, so not below /run or /tmp. */
function stateBase(): string {
  const xdg = Deno.env.get("XDG_STATE_HOME");
  const home = Deno.env.get("HOME");
  // Others are ignored, as the XDG specification has it.
  if (xdg?.startsWith("/")) return join(xdg, "xftrace");
  if (home?.startsWith("/")) return join(home, ".local", "state", "xftrace");
  throw new XftraceError(
    "neither HOME nor XDG_STATE_HOME is set to an absolute path: there is no place for what is collected",
  );
}

/** The folders of all guests that have a trace. */
export function stateFolders(): StateFolder[] {
  return allFolders().filter((folder) => folder.exists());
}

/** The folders in which no trace has begun: `on` is at it, or was killed. */
export function unbegunFolders(): StateFolder[] {
  return allFolders().filter((folder) =>
    /^vm-\d+-\d+$/.test(basename(folder.path)) && !folder.exists()
  );
}

function allFolders(): StateFolder[] {
  const base = stateBase();
  let names: string[];
  try {
    names = [...Deno.readDirSync(base)].map((entry) => entry.name);
  } catch {
    return [];
  }
  return names.sort().map((name) => new StateFolder(name, base));
}

/** The most bytes of a state or result. */
const TEXT_BYTES = 2 ** 28;

function readText(path: string): string | undefined {
  return readHostTextIfThere(path, { own: true, limit: TEXT_BYTES });
}

function json(value: unknown): string {
  return JSON.stringify(
    value,
    (_, item) => typeof item === "bigint" ? `0x${item.toString(16)}` : item,
    2,
  ) + "\n";
}
