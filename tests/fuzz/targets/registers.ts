/**
 * The text of `info registers`, as anything at a monitor's socket may say it.
 *
 * @module
 */
import { archNamed } from "../../../engine/arch/all.ts";
import {
  QEMU_10,
  QEMU_7_2,
} from "../../../engine/arch/x86_64/registers_fixture.ts";
import { allOf } from "../all_of.ts";
import type { Target } from "../target.ts";
import { decoded, encoded, mutateTexts } from "../texts.ts";

export const registers: Target = {
  name: "registers",
  open() {
    const own = archNamed().registers;
    return {
      seeds: [[encoded(QEMU_10)], [encoded(QEMU_7_2)]],
      mutate: (input, random) =>
        mutateTexts(input, random, ["CPU#0", "CPU#1", "CR3=", "EFER=", "\r"]),
      run([text]) {
        allOf(
          own.fromMonitor(decoded(text)).flatMap((cpu) => [
            () => own.anchors(cpu),
            () => own.paging(cpu),
          ]),
        );
      },
    };
  },
};
