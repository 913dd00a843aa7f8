/**
 * BTF types in C notation, as kernel sources write them: `struct list_head *`,
 * `char[16]`, `void (*)(struct work_struct *)`.
 *
 * @module
 */
import { KIND, type RawBtf } from "./format.ts";

/** Types looked at for one declaration, before it is given up as damaged. */
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
   * C declarations nest inside out: `inner` is what has been built so far
   * around the (absent) name.
   */
  declare(id: number, inner: string): string {
    const btf = this.#btf;
    if (++this.#steps > MAX_STEPS) return joined("...", inner);
    switch (btf.kind(id)) {
      case KIND.void:
        return joined("void", inner);
      case KIND.ptr: {
        const target = this.#untagged(btf.word(id, 2));
        const kind = btf.kind(target);
        const nested = kind === KIND.array || kind === KIND.funcProto;
        return this.declare(target, nested ? `(*${inner})` : `*${inner}`);
      }
      case KIND.const:
        return this.#qualified("const", id, inner);
      case KIND.volatile:
        return this.#qualified("volatile", id, inner);
      case KIND.restrict:
        return this.#qualified("restrict", id, inner);
      case KIND.typeTag:
        return this.declare(btf.word(id, 2), inner);
      case KIND.array: {
        const length = btf.word(id, 5);
        return this.declare(
          btf.word(id, 3),
          `${inner}[${length === 0 ? "" : length}]`,
        );
      }
      case KIND.funcProto:
        return this.declare(btf.word(id, 2), `${inner}(${this.#params(id)})`);
      case KIND.struct:
        return joined(this.#tagged("struct", id), inner);
      case KIND.union:
        return joined(this.#tagged("union", id), inner);
      case KIND.enum:
      case KIND.enum64:
        return joined(this.#tagged("enum", id), inner);
      case KIND.fwd:
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

  /** A qualifier stands before a plain type, but behind a pointer's `*`. */
  #qualified(qualifier: string, id: number, inner: string): string {
    const target = this.#untagged(this.#btf.word(id, 2));
    if (this.#btf.kind(target) === KIND.ptr) {
      return this.declare(target, joined(qualifier, inner));
    }
    return `${qualifier} ${this.declare(target, inner)}`;
  }

  /** Past type tags (`__user`, `__rcu`), which C notation leaves out. */
  #untagged(id: number): number {
    while (
      this.#btf.kind(id) === KIND.typeTag && ++this.#steps <= MAX_STEPS
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

/** `int` and `*` are `int *`, but `char` and `[16]` are `char[16]`. */
function joined(type: string, inner: string): string {
  return inner === "" || inner.startsWith("[")
    ? type + inner
    : `${type} ${inner}`;
}
