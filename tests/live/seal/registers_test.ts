/**
 * Keys and the state of SipHash stay in registers: what the compiler made of
 * guest/seal.c moves nothing to the stack, and clears the registers. No guest is
 * booted for this.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { NEWEST, OLDEST } from "../support_fixture.ts";
import { moduleFor, SEAL_KERNELS } from "./support_fixture.ts";

/** The instructions of a function of the module. */
async function disassembled(kernel: string, name: string): Promise<string[]> {
  const path = Deno.makeTempFileSync({ suffix: ".ko" });
  try {
    Deno.writeFileSync(path, await moduleFor(kernel));
    const { stdout } = await new Deno.Command("objdump", {
      args: ["-d", "--no-show-raw-insn", `--disassemble=${name}`, path],
    }).output();
    return new TextDecoder().decode(stdout).split("\n")
      .map((line) => line.split("\t")[1]?.trim() ?? "")
      .filter((line) => line !== "");
  } finally {
    Deno.removeSync(path);
  }
}

for (const kernel of LONG ? [OLDEST, NEWEST] : SEAL_KERNELS) {
  Deno.test(`no key is left on a task's stack, or in a register: ${kernel}`, async () => {
    const code = await disassembled(kernel, "xft_seal");
    assert.ok(code.length > 500, `${code.length} instructions`);
    // Saving the caller's registers is all that is done to the stack.
    const stack = code.filter((line) =>
      /\(%[re]?(sp|bp)\)|\(%[re]?sp,/.test(line) ||
      /^(sub|lea).*%rsp/.test(line)
    );
    assert.deepEqual(stack, []);
    const pushed = code.filter((line) => line.startsWith("push"));
    const returns = code.filter((line) =>
      /^(ret|jmp.*return_thunk)/.test(line)
    );
    assert.ok(pushed.length <= 6, pushed.join("; "));
    const firstOther = code.findIndex((line) =>
      /rol|xor.*0x|movabs/.test(line)
    );
    const lastPush = code.findLastIndex((line) => line.startsWith("push"));
    assert.ok(firstOther < 0 || lastPush < firstOther);
    // Registers that the caller does not expect to be kept are cleared.
    for (const register of ["%edx", "%ecx", "%esi", "%edi"]) {
      const cleared = code.filter((line) =>
        new RegExp(`^xor\\s+${register},${register}$`).test(line)
      );
      assert.ok(cleared.length >= Math.max(returns.length, 1), register);
    }
  });
}
