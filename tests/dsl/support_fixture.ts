/**
 * Helpers for tests of the language: opening recordings, and running programs
 * on them.
 *
 * @module
 */
import { readBuffers } from "../../engine/ftrace/ring/reader.ts";
import { traceLayout } from "../../engine/ftrace/ring/meta.ts";
import type { TargetFacts } from "../../engine/query/facts.ts";
import type { Program } from "../../engine/query/program.ts";
import {
  openRunTarget,
  runFrame,
  type RunResult,
  type RunTarget,
} from "../../engine/run/run.ts";
import type { Frame } from "../../engine/passes/fields/frame.ts";
import { openCoreSession } from "../../engine/session.ts";

/** The kernels of the recordings in testdata/. */
export const RECORDED = ["6.1", "6.12"] as const;

/** An open recording. */
export interface Recording extends Disposable {
  readonly target: RunTarget;
  readonly frame: Frame;
}

/** Opens the recording of a kernel. */
export function openRecording(kernel: typeof RECORDED[number]): Recording {
  const path = new URL(
    `../../testdata/guest-${kernel}.core.zst`,
    import.meta.url,
  ).pathname;
  const session = openCoreSession(`core:guest-${kernel}`, path);
  const target = openRunTarget(session);
  const { columns, arena } = readBuffers(
    target.instance,
    traceLayout(session.kernel.types),
  );
  return {
    target,
    frame: { columns, arena, ordered: false },
    [Symbol.dispose]: () => session[Symbol.dispose](),
  };
}

/** The facts of a guest into which everything can be pushed down. */
export function steerable(facts: TargetFacts): TargetFacts {
  return {
    ...facts,
    live: true,
    capabilities: {
      writes: true,
      roots: 1000,
      depth: true,
      mute: true,
    },
  };
}

/** The facts of a guest that has the module loaded. */
export function withModule(facts: TargetFacts): TargetFacts {
  const { capabilities } = steerable(facts);
  return {
    ...facts,
    live: true,
    capabilities: {
      ...capabilities,
      module: {
        tracefs: true,
        page: 0n,
        seal: "siphash+ratchet",
        ringEntries: 32768,
        maxRoots: 512,
        maxFunctions: 32000,
        sharedFilter: false,
      },
    },
  };
}

/** Runs a program over a frame; returns its results and what it wrote. */
export function runOver(
  program: Program,
  target: RunTarget,
  frame: Frame,
): RunResult & { readonly written: string } {
  let written = "";
  const result = runFrame(program, target, frame, {
    write: (text) => {
      written += text;
    },
  });
  return { ...result, written };
}
