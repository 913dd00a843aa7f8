/**
 * The text of a kernel's buffers, as `report` prints it.
 *
 * @module
 */
import { openInstance } from "../../engine/ftrace/ring/open_instance.ts";
import { readBuffers } from "../../engine/ftrace/ring/reader.ts";
import type { Kernel } from "../../engine/kernel/core/kernel.ts";
import { TEXT } from "../../engine/output/formats/text.ts";
import {
  guestTextOptions,
  traceMeta,
} from "../../engine/output/text/trace_meta.ts";
import { writeBuffers } from "../../engine/output/write_buffers.ts";

/** What `report` prints of a kernel. */
export function report(kernel: Kernel): string {
  const { instance, events, layout } = openInstance({ kernel });
  let text = "";
  writeBuffers(
    readBuffers(instance, layout),
    {
      meta: traceMeta(instance, events, layout),
      options: guestTextOptions(instance),
    },
    TEXT.writer((chunk) => text += chunk),
  );
  return text;
}
