import assert from "node:assert/strict";
import { needsComment, parseDocLint } from "./doc_errors.ts";

const PRINTED =
  `error[missing-jsdoc]: exported symbol is missing JSDoc documentation
  --> /checkout/engine/a.ts:25:12
   | 
25 |   readonly machine: string;
   |            ^


error[private-type-ref]: public type 'mac' references private type 'Reader'
  --> file:///checkout/engine/b.ts:16:1
   | 
16 | export function mac(read: Reader): string {
   | ^
   = hint: make the referenced type public or remove the reference


error: Found 2 documentation lint errors.
`;

Deno.test("errors are parsed with their place", () => {
  assert.deepEqual(parseDocLint(PRINTED, "/checkout"), [
    {
      path: "engine/a.ts",
      line: 25,
      code: "missing-jsdoc",
      what: "exported symbol is missing JSDoc documentation",
    },
    {
      path: "engine/b.ts",
      line: 16,
      code: "private-type-ref",
      what: "public type 'mac' references private type 'Reader'",
    },
  ]);
  assert.deepEqual(parseDocLint("Checked 3 files\n", "/checkout"), []);
});

Deno.test("declarations and methods need a comment, properties do not", () => {
  const missing = {
    path: "engine/a.ts",
    line: 1,
    code: "missing-jsdoc",
    what: "",
  };
  for (
    const source of [
      "export function mac(read: Reader): string {",
      "export class Reader {",
      "export const PAGE = 4096;",
      "export interface Options {",
      "export type Kind = 1 | 2;",
      "  read(gpa: number): void {",
      "  async read(gpa: number): Promise<void> {",
      "  get size(): number {",
      "  static open(path: string): Reader {",
      "  read(",
    ]
  ) assert.equal(needsComment(missing, source), true, source);
  for (
    const source of [
      "  readonly machine: string;",
      "  pid?: number;",
      "  override readonly name = 1;",
      '  "quoted-name": string;',
      "  [Symbol.dispose](): void {",
      "  async [Symbol.asyncDispose](): Promise<void> {",
      "  private async read(gpa: number): Promise<void> {",
      "  constructor(path: string) {",
    ]
  ) assert.equal(needsComment(missing, source), false, source);
  const other = { ...missing, code: "private-type-ref" };
  assert.equal(needsComment(other, "export function mac("), false);
});
