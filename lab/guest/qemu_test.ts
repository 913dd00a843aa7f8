import assert from "node:assert/strict";
import { settle } from "../host/options.ts";
import { kernelParameters, qemuArguments } from "./qemu.ts";

const files = { directory: "/run/lab/x", memory: "/dev/shm/x" };

Deno.test("shared memory is a file that the machine uses as its RAM", () => {
  const args = qemuArguments(settle({ name: "x" }), "tcg", files).join(" ");
  assert.match(args, /-name x /);
  assert.match(args, /-machine q35,memory-backend=ram /);
  assert.match(
    args,
    /memory-backend-file,id=ram,size=512M,mem-path=\/dev\/shm\/x,share=on/,
  );
  assert.match(args, /-accel tcg,thread=multi -cpu max,cx16=off /);
});

Deno.test("without sharing there is no file", () => {
  const settings = settle({ name: "x", share: false, cpu: "qemu64" });
  const args = qemuArguments(settings, "kvm", { directory: "/run/lab/x" });
  assert.equal(args.join(" ").includes("memory-backend"), false);
  assert.equal(args[args.indexOf("-cpu") + 1], "qemu64");
});

Deno.test("a microvm has one serial line and no PCI", () => {
  const settings = settle({ name: "x", machine: "microvm" });
  const args = qemuArguments(settings, "tcg", files);
  assert.equal(args.filter((arg) => arg === "-serial").length, 1);
  assert.match(args.join(" "), /isa-serial,chardev=serial/);
  assert.equal(args.some((arg) => arg.includes("pci")), false);
});

Deno.test("what the user appends comes last", () => {
  const line = kernelParameters(
    settle({ name: "x", append: "panic=0" }),
    "tcg",
    2_600_000,
  );
  assert.match(line, /panic=-1.* panic=0$/);
});
