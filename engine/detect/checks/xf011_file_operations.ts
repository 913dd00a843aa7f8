/**
 * XF011: file and inode operations.
 *
 * @module
 */
import { hex } from "../../base/hex.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import {
  inodeTables,
  type SuperBlock,
  superBlocks,
  superTables,
} from "../../kernel/objects/vfs.ts";
import { TableJudge } from "../core/operations.ts";
import type { Check } from "../core/check.ts";
import type { CheckContext } from "../core/context.ts";
import type { Report } from "../finding.ts";

/**
 * File systems in which any module may create files with its own operation
 * tables: their names, and the symbols of their types. A name alone is a word
 * of the guest's.
 */
const OPEN_TO_MODULES: Readonly<Record<string, string>> = {
  debugfs: "debug_fs_type",
  tracefs: "trace_fs_type",
  securityfs: "fs_type",
  configfs: "configfs_fs_type",
  pstore: "pstore_fs_type",
  binder: "binder_fs_type",
};

/** Maximum number of inodes read in one check. */
const MOST_INODES = 200_000;

/** Checks the operation tables that super blocks and inodes use. */
export const fileOperations: Check = {
  id: "XF011",
  title: "file and inode operations",
  technique: "T1564.001",
  help:
    "Every super block and every inode in memory uses tables of operations of the kernel or of the module its file system belongs to. Swapped i_fop and i_op (adore-ng) hide files and processes.",
  run(context, report) {
    const { kernel, code } = context;
    const judge = new TableJudge(context, report);
    let left = MOST_INODES;
    for (const sb of superBlocks(kernel)) {
      // Where its type lies tells whose it is; the type may name anybody.
      const owner = code.moduleAt(sb.typeGva);
      const type = kernel.symbols.lookup(sb.typeGva);
      const anyone = type?.offset === 0 &&
        OPEN_TO_MODULES[sb.type] === type.name;
      report.part(`the files of ${sb.type}`, () => {
        judgeType(context, report, sb, owner);
        for (const use of superTables(kernel, sb)) judge.use(use, owner);
        const { uses, inodes, complete } = inodeTables(kernel, sb, left);
        left -= inodes;
        for (const use of uses) judge.use(use, owner, anyone);
        if (!complete) {
          report.unjudged(
            `the files of ${sb.type}`,
            `there are more than ${MOST_INODES} inodes in memory`,
          );
        }
      });
    }
    report.judged(judge.uses);
  },
};

/** Judges what a super block's type says of itself. */
function judgeType(
  { kernel, code }: CheckContext,
  report: Report,
  sb: SuperBlock,
  owner: ModuleView | undefined,
): void {
  const wrong = (what: string, expected: string, found: string) =>
    report.finding({
      severity: "critical",
      where: `the super block of ${sb.type}: ${what}`,
      address: what === "owner" ? sb.typeGva : sb.gva,
      expected,
      found,
      summary:
        `the super block of ${sb.type} has the ${what} ${found} and not ${expected}`,
    });
  if (sb.owner !== (owner?.gva ?? 0n)) {
    const named = code.modules.find(({ gva }) => gva === sb.owner);
    wrong("owner", owner?.name ?? "none", named?.name ?? hex(sb.owner));
  }
  const { symbols } = kernel;
  const inImage = sb.typeGva >= symbols.address("_stext") &&
    sb.typeGva < symbols.address("_end");
  if (owner === undefined && !inImage) {
    wrong("type", "one of the kernel's or a module's", hex(sb.typeGva));
  }
  if (sb.listedBy.length > 0) {
    wrong("type", sb.listedBy.join(", "), sb.type);
  }
}
