import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { checked } from "../core/check_fixture.ts";
import { netfilter } from "./xf007_netfilter.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  five_hooks: { size: 40, members: {} },
  netns_nf: {
    size: 80,
    members: {
      hooks_ipv4: [0, "five_hooks"],
      hooks_ipv6: [40, "five_hooks"],
    },
  },
  net: {
    size: 112,
    members: {
      list: [0, "list_head"],
      nf: [16, "netns_nf"],
      dev_base_head: [96, "list_head"],
    },
  },
  net_device: {
    size: 48,
    members: {
      name: [0, "u64"],
      dev_list: [8, "list_head"],
      nf_hooks_ingress: [24, "u64"],
    },
  },
  nf_hook_entry: { size: 16, members: { hook: [0, "u64"], priv: [8, "u64"] } },
  nf_hook_entries: {
    size: 8,
    members: { num_hook_entries: [0, "u16"], hooks: [8, "nf_hook_entry"] },
  },
});

const OWN = 0xffffffff81000100n;
const FOREIGN = 0xffffffffc0100010n;
const whose = (gva: bigint) => gva === FOREIGN ? "module" : "kernel";

/** A guest with network namespaces. */
class NetGuest extends FixtureGuest {
  readonly head: bigint;
  readonly nets: readonly bigint[];

  constructor(count: number) {
    super(TYPES);
    this.head = this.image();
    this.symbol("net_namespace_list", this.head);
    this.nets = Array.from({ length: count }, () => {
      const net = this.create("net");
      this.link(this.at("net", net, "dev_base_head"));
      return net;
    });
    this.link(this.head, ...this.nets);
  }

  /** Hooks these functions in where `pointer` leads. */
  hook(pointer: bigint, ...functions: readonly bigint[]): void {
    const entries = this.allocate(8 + 16 * functions.length);
    this.view.setUint16(this.gpa(entries), functions.length, true);
    functions.forEach((func, i) =>
      this.setU64(entries + 8n + BigInt(16 * i), func)
    );
    this.setU64(pointer, entries);
  }
}

Deno.test("a module's hook is found in every namespace and on every device", () => {
  const guest = new NetGuest(2);
  const [first, second] = guest.nets;
  const hooks = (net: bigint) => guest.at("net", net, "nf.hooks_ipv4");
  guest.hook(hooks(first) + 8n, OWN, FOREIGN);
  guest.hook(hooks(second) + 24n, FOREIGN);
  const device = guest.create("net_device");
  new TextEncoder().encode("eth0").forEach((byte, i) => {
    guest.bytes[guest.gpa(device) + i] = byte;
  });
  guest.link(
    guest.at("net", second, "dev_base_head"),
    guest.at("net_device", device, "dev_list"),
  );
  guest.hook(guest.at("net_device", device, "nf_hooks_ingress"), FOREIGN);
  const { findings, unjudged, known } = checked(netfilter, guest.kernel, {
    whose,
  });
  assert.deepEqual(unjudged, []);
  assert.deepEqual(findings.map(({ where }) => where), [
    "netfilter ipv4 LOCAL_IN",
    "netfilter ipv4 LOCAL_OUT",
    "netfilter eth0 ingress",
  ]);
  assert.equal(known.length, 4);
});

Deno.test("namespaces without hooks are clean, no namespaces at all are not", () => {
  const { findings, unjudged, judged } = checked(
    netfilter,
    new NetGuest(1).kernel,
  );
  assert.deepEqual([findings, unjudged, judged], [[], [], 1]);
  const none = checked(netfilter, new NetGuest(0).kernel);
  assert.equal(none.unjudged.length, 1);
});

Deno.test("a namespace that cannot be read leaves the others judged", () => {
  const guest = new NetGuest(2);
  const [first, second] = guest.nets;
  guest.setU64(guest.at("net", first, "nf.hooks_ipv4"), 0x1000n);
  guest.hook(guest.at("net", second, "nf.hooks_ipv4"), FOREIGN);
  const { findings, unjudged, lost } = checked(netfilter, guest.kernel, {
    whose,
  });
  assert.equal(lost, true);
  assert.deepEqual(unjudged.map(({ what }) => what), ["a network namespace"]);
  assert.equal(findings.length, 1);
});

Deno.test("more hooks than the kernel allows are unjudged, not cut in silence", () => {
  const guest = new NetGuest(1);
  const pointer = guest.at("net", guest.nets[0], "nf.hooks_ipv4");
  guest.hook(pointer, ...Array<bigint>(1024).fill(OWN), FOREIGN);
  const { unjudged } = checked(netfilter, guest.kernel, { whose });
  assert.deepEqual(unjudged.map(({ why }) => why), [
    "ipv4 PRE_ROUTING claims 1025 hooks, more than the kernel allows",
  ]);
});
