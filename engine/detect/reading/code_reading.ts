/**
 * The kernel's code at one moment: the owners of code, and the text itself.
 * Each part is read on first use, and only once.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { type CallSites, callSites } from "../../kernel/patching/ftrace_ops.ts";
import { type Kprobe, kprobes } from "../../kernel/patching/kprobes.ts";
import {
  type ImageBytes,
  readImage,
} from "../../kernel/patching/text_image.ts";
import { CodeMap } from "./code_map.ts";

/** More bytes of text than all of a kernel's modules have. */
const MOST_TEXT = 128 << 20;

/** The code and text of a kernel during one reading. */
export class CodeReading {
  readonly kernel: Kernel;
  readonly code: CodeMap;
  #text?: ImageBytes;
  #sites?: CallSites;
  #kprobes?: Kprobe[];
  #moduleBytes = 0;
  readonly #moduleTexts = new Map<bigint, ImageBytes>();

  /** @throws {KernelError | MemoryError} like {@linkcode CodeMap}. */
  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.code = new CodeMap(kernel);
  }

  /**
   * The image's text, `_stext` to `_etext`.
   *
   * @throws {KernelError} when a page in which a function begins holds only
   * zeros, because a recording has lost it.
   */
  get text(): ImageBytes {
    return this.#text ??= this.#readText();
  }

  #readText(): ImageBytes {
    const text = readImage(this.kernel, "_stext", "_etext");
    const { pageSize } = this.kernel;
    const words = new Uint32Array(
      text.bytes.buffer,
      0,
      Math.floor(text.bytes.length / 4),
    );
    for (let page = 0; page < words.length; page += pageSize / 4) {
      if (words[page] !== 0 || words[page + 1] !== 0) continue;
      const part = words.subarray(page, page + pageSize / 4);
      if (!part.every((word) => word === 0)) continue;
      const at = text.start + BigInt(4 * page);
      const last = this.kernel.symbols.lookup(at + BigInt(pageSize - 1));
      if (last === undefined || last.address < at) continue;
      throw new KernelError(
        `the page of kernel text at ${
          hex(at)
        } holds zeros alone, though ${last.name} begins there`,
      );
    }
    return text;
  }

  /** All of Ftrace's call sites. */
  get sites(): CallSites {
    return this.#sites ??= callSites(this.kernel);
  }

  /** All kprobes. */
  get kprobes(): readonly Kprobe[] {
    return this.#kprobes ??= kprobes(this.kernel);
  }

  /**
   * The permanent text of a module, without its init code.
   *
   * @throws {KernelError} when modules claim more text than a kernel has.
   */
  moduleText(module: ModuleView): ImageBytes {
    let text = this.#moduleTexts.get(module.gva);
    if (text === undefined) {
      const { start, end } = module.text[0] ?? { start: 0n, end: 0n };
      this.#moduleBytes += Number(end - start);
      if (this.#moduleBytes > MOST_TEXT) {
        throw new KernelError(
          `the modules up to ${module.name} claim to have ${this.#moduleBytes} bytes of text: one of them is damaged`,
        );
      }
      const bytes = this.kernel.space.bytes(start, Number(end - start));
      this.#moduleTexts.set(module.gva, text = { start, end, bytes });
    }
    return text;
  }

  /** Forgets a module's text, so that it is read again. */
  forget({ gva }: ModuleView): void {
    this.#moduleBytes -= this.#moduleTexts.get(gva)?.bytes.length ?? 0;
    this.#moduleTexts.delete(gva);
  }
}
