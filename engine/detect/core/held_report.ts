/**
 * Keeps what a check reports until it is known whether it counts.
 *
 * @module
 */
import type { Report } from "../finding.ts";

/** A report that passes what it is given to another one, once asked to. */
export class HeldReport implements Report {
  readonly #to: Report;
  readonly #said: (() => void)[] = [];

  constructor(to: Report) {
    this.#to = to;
  }

  finding(...said: Parameters<Report["finding"]>): void {
    this.#said.push(() => this.#to.finding(...said));
  }
  unjudged(...said: Parameters<Report["unjudged"]>): void {
    this.#said.push(() => this.#to.unjudged(...said));
  }
  passing(...said: Parameters<Report["passing"]>): void {
    this.#said.push(() => this.#to.passing(...said));
  }
  gone(...said: Parameters<Report["gone"]>): void {
    this.#said.push(() => this.#to.gone(...said));
  }
  known(...said: Parameters<Report["known"]>): void {
    this.#said.push(() => this.#to.known(...said));
  }
  notRun(...said: Parameters<Report["notRun"]>): void {
    this.#said.push(() => this.#to.notRun(...said));
  }
  judged(...said: Parameters<Report["judged"]>): void {
    this.#said.push(() => this.#to.judged(...said));
  }
  /** Runs the part at once; a failure is reported at once as well. */
  part(...said: Parameters<Report["part"]>): void {
    this.#to.part(...said);
  }

  /** Passes on everything that was reported so far. */
  tell(): void {
    for (const said of this.#said.splice(0)) said();
  }
}
