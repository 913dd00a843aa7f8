/**
 * Writes docs/one_liners.md: the lessons, with their output for the recorded
 * guest.
 *
 *     deno run --allow-read --allow-write=docs tests/dsl/one_liners_page_fixture.ts
 *
 * @module
 */
import { compile, planText } from "../../mod.ts";
import { oneLiner } from "xftrace";
import { type Lesson, LESSONS } from "./one_liners_fixture.ts";
import { openRecording, type Recording, runOver } from "./support_fixture.ts";

/** The most lines of a lesson's output that are shown. */
const SHOWN = 16;
/** The recording that the output comes from. */
const KERNEL = "6.1";

/** Where the page is. */
export const PAGE = new URL("../../docs/one_liners.md", import.meta.url);

function output(lesson: Lesson, { target, frame }: Recording): string {
  const queries = oneLiner(lesson.code).map((query) => query.spec);
  const program = compile(queries, target.facts);
  if (lesson.dryRun === true) return planText(program.plan);
  const { written, texts } = runOver(program, target, frame);
  return written + texts.filter((text) => text !== "").join("\n");
}

function shown(output: string): string {
  const lines = output.replace(/\n$/, "").split("\n").map((line) =>
    line.trimEnd()
  );
  const some = lines.slice(0, SHOWN);
  // Without the indentation that all lines share, as the formatter leaves it.
  const indent = Math.min(
    ...some.filter((line) => line !== "").map((line) => line.search(/\S/)),
  );
  const text = some.map((line) => line.slice(indent)).join("\n");
  const more = lines.length - some.length;
  return more === 0 ? text : `${text}\n... ${more} more lines`;
}

/** The page's text. */
export function page(): string {
  using recording = openRecording(KERNEL);
  let text = `# Twelve one-liners

You can try each lesson on a running guest (with \`-t qemu:NAME\`, or without any
option if only one VM is running) or on a recording. The output below is that of
a recorded guest in this repository, and a test compares it:

\`\`\`sh
xftrace eval -t core:testdata/guest-${KERNEL}.core.zst 'trace(sys_openat).count(comm)'
\`\`\`

A live trace goes on until Ctrl-C, unless \`.until(...)\` ends it.
[language.md](language.md) describes the whole language.
`;
  LESSONS.forEach((lesson, i) => {
    text += `
## ${i + 1}. ${lesson.title}

${wrapped(lesson.text)}

\`\`\`sh
xftrace eval ${lesson.dryRun === true ? "--dry-run " : ""}'${lesson.code}'
\`\`\`

\`\`\`text
${shown(output(lesson, recording))}
\`\`\`
`;
  });
  return text;
}

/** Text in lines of at most 80 characters. */
function wrapped(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1];
    if (last.length + word.length + 1 > 80) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines.join("\n");
}

if (import.meta.main) Deno.writeTextFileSync(PAGE, page());
