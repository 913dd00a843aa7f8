/**
 * BTF types in C notation, as kernel sources write them: `struct list_head *`,
 * `char[16]`, `void (*)(struct work_struct *)`.
 *
 * @module
 */
import { BTF_KIND, type RawBtf } from "./format.ts";

/** Types visited for one declaration before the BTF counts as damaged. */
const MAX_STEPS = 512;

/** The C notation of a type, without a declared name. */
export function declare(btf: RawBtf, id: number): string {
  return new Declarator(btf).declare(id, "");
}

class Declarator {
  readonly #btf: RawBtf;
  #steps = 0;

  constructor(btf: RawBtf) {
    this.#btf = btf;
  }

  /**
   * C declarations nest inside out: `inner` is the part built so far around the
   * (absent) name.
   */
  declare(id: number, inner: string): string {
    const btf = this.#btf;
    if (++this.#steps > MAX_STEPS) return joined("...", inner);
    switch (btf.kind(id)) {
      case BTF_KIND.void:
        return joined("void", inner);
      case BTF_KIND.ptr: {
        const target = this.#untagged(btf.word(id, 2));
        const kind = btf.kind(target);
        const nested = kind === BTF_KIND.array || kind === BTF_KIND.funcProto;
        return this.declare(target, nested ? `(*${inner})` : `*${inner}`);
      }
      case BTF_KIND.const:
        return this.#qualified("const", id, inner);
      case BTF_KIND.volatile:
        return this.#qualified("volatile", id, inner);
      case BTF_KIND.restrict:
        return this.#qualified("restrict", id, inner);
      case BTF_KIND.typeTag:
        return this.declare(btf.word(id, 2), inner);
      case BTF_KIND.array: {
        const length = btf.word(id, 5);
        return this.declare(
          btf.word(id, 3),
          `${inner}[${length === 0 ? "" : length}]`,
        );
      }
      case BTF_KIND.funcProto:
        return this.declare(btf.word(id, 2), `${inner}(${this.#params(id)})`);
      case BTF_KIND.struct:
        return joined(this.#tagged("struct", id), inner);
      case BTF_KIND.union:
        return joined(this.#tagged("union", id), inner);
      case BTF_KIND.enum:
      case BTF_KIND.enum64:
        return joined(this.#tagged("enum", id), inner);
      case BTF_KIND.fwd:
        return joined(
          this.#tagged(btf.flag(id) ? "union" : "struct", id),
          inner,
        );
      default:
        return joined(btf.name(id), inner);
    }
  }

  #tagged(keyword: string, id: number): string {
    const name = this.#btf.name(id);
    return name === "" ? `${keyword} {...}` : `${keyword} ${name}`;
  }

  /** A qualifier precedes a plain type but follows a pointer's `*`. */
  #qualified(qualifier: string, id: number, inner: string): string {
    const target = this.#untagged(this.#btf.word(id, 2));
    if (this.#btf.kind(target) === BTF_KIND.ptr) {
      return this.declare(target, joined(qualifier, inner));
    }
    return `${qualifier} ${this.declare(target, inner)}`;
  }

  /** Skips type tags (`__user`, `__rcu`), which C notation leaves out. */
  #untagged(id: number): number {
    while (
      this.#btf.kind(id) === BTF_KIND.typeTag && ++this.#steps <= MAX_STEPS
    ) {
      id = this.#btf.word(id, 2);
    }
    return id;
  }

  #params(id: number): string {
    const btf = this.#btf;
    const params: string[] = [];
    for (let i = 0; i < btf.entries(id); i++) {
      if (this.#steps > MAX_STEPS) break;
      const type = btf.word(id, 4 + 2 * i);
      params.push(type === 0 ? "..." : this.declare(type, ""));
    }
    return params.length === 0 ? "void" : params.join(", ");
  }
}

/** `int` and `*` become `int *`, but `char` and `[16]` become `char[16]`. */
function joined(type: string, inner: string): string {
  return inner === "" || inner.startsWith("[")
    ? type + inner
    : `${type} ${inner}`;
}
