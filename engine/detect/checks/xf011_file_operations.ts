/**
 * XF011: file and inode operations.
 *
 * @module
 */
import {
  inodeTables,
  superBlocks,
  superTables,
} from "../../kernel/objects/vfs.ts";
import { TableJudge } from "../core/operations.ts";
import type { Check } from "../core/check.ts";

/**
 * File systems in which any module may create files with its own operation
 * tables.
 */
const OPEN_TO_MODULES: ReadonlySet<string> = new Set([
  "debugfs",
  "tracefs",
  "securityfs",
  "configfs",
  "pstore",
  "binder",
]);

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
      const owner = code.modules.find(({ gva }) => gva === sb.owner);
      const anyone = OPEN_TO_MODULES.has(sb.type);
      report.part(`the files of ${sb.type}`, () => {
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
