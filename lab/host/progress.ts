/**
 * Shows the progress of boots and downloads.
 *
 * @module
 */

/** Called at each step, with a short phrase. */
export type OnProgress = (step: string) => void;

/** Shows progress on standard error; `done` ends the line. */
export interface Progress {
  readonly step: OnProgress;
  /** Ends the line that counts seconds. */
  done(): void;
}

/**
 * On a terminal, one line that counts seconds; elsewhere, a plain line for each
 * step.
 */
export function stderrProgress(prefix: string): Progress {
  const started = performance.now();
  const seconds = () => ((performance.now() - started) / 1000).toFixed(0);
  const write = (text: string) =>
    Deno.stderr.writeSync(new TextEncoder().encode(text));

  let last = "";
  if (!Deno.stderr.isTerminal()) {
    return {
      step(step) {
        if (step === last) return;
        last = step;
        write(`${prefix}: ${step} (${seconds()} s)\n`);
      },
      done() {},
    };
  }

  const draw = () => {
    const { columns } = Deno.consoleSize();
    const text = `${prefix}: ${last} (${seconds()} s)`;
    write(`\r\x1b[K${text.slice(0, Math.max(columns - 1, 20))}`);
  };
  let timer: ReturnType<typeof setInterval> | undefined;
  return {
    step(step) {
      last = step;
      timer ??= setInterval(draw, 500);
      draw();
    },
    done() {
      if (timer === undefined) return;
      clearInterval(timer);
      timer = undefined;
      write("\r\x1b[K");
    },
  };
}
