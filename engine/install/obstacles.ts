/**
 * Reads from memory what a guest's kernel requires of modules: signatures,
 * lockdown, or that no more modules are loaded.
 *
 * Sources: kernel/module/signing.c, security/lockdown/lockdown.c,
 * kernel/module/main.c.
 *
 * @module
 */
import type { Kernel } from "../kernel/core/kernel.ts";
import type { ModuleFile } from "./module_file.ts";

/**
 * What prevents a module from being loaded, one sentence each; usually empty.
 */
export function obstacles(
  kernel: Kernel,
  file: Pick<ModuleFile, "signed">,
): string[] {
  const { symbols, space, types } = kernel;
  const word = (name: string) => {
    const at = symbols.tryAddress(name);
    return at === undefined ? 0 : space.u32(at);
  };
  const found: string[] = [];
  if (word("modules_disabled") !== 0) {
    found.push(
      "its kernel loads no more modules until it restarts (kernel.modules_disabled)",
    );
  }
  const forced = symbols.tryAddress("sig_enforce");
  const byte = new Uint8Array(1);
  if (forced !== undefined) space.read(forced, byte);
  const locked = types.tryEnumerator("LOCKDOWN_MODULE_SIGNATURE");
  const why = [
    ...(byte[0] === 0 ? [] : ["module.sig_enforce"]),
    ...(locked !== undefined && word("kernel_locked_down") >= locked
      ? ["it is locked down, as with Secure Boot"]
      : []),
  ];
  if (why.length > 0) {
    found.push(
      `its kernel loads only modules that are signed with a key it trusts (${
        why.join("; ")
      }), and ${
        file.signed
          ? "only the guest knows whether it trusts this one's key"
          : "this one is not signed: sign it (scripts/sign-file of the kernel), or let DKMS build it in the guest, which does"
      }`,
    );
  }
  return found;
}
