/**
 * What processes say of themselves: QEMU's arguments, the files that they name,
 * and mappings.
 *
 * @module
 */
import { archNamed } from "../../../engine/arch/all.ts";
import {
  splitOptions,
  withConfigFiles,
} from "../../../engine/memory/ram_layout_options.ts";
import {
  parseQemuMachine,
  qemuLayout,
} from "../../../engine/memory/ram_layout_qemu.ts";
import {
  matchBackings,
  pluggedBackings,
  spareBackings,
} from "../../../engine/targets/backing.ts";
import { parseMaps } from "../../../engine/targets/proc.ts";
import { askedPlan } from "../../../engine/targets/qmp_layout.ts";
import {
  mapSegments,
  processSegments,
} from "../../../engine/targets/segments.ts";
import { LayoutError } from "../../../engine/memory/ram_layout.ts";
import { allOf } from "../all_of.ts";
import { mutateJson } from "../json.ts";
import type { Target } from "../target.ts";
import { decoded, encoded, mutateTexts } from "../texts.ts";

const WORDS = [
  "-m",
  "size=4G,slots=4,maxmem=64G",
  "-object",
  "memory-backend-memfd,id=ram,size=4G,share=on",
  "memory-backend-file,id=f,mem-path=/dev/shm/vm,size=1G,offset=4K,share=on",
  '{"qom-type":"memory-backend-ram","id":"j","size":1073741824}',
  "-numa",
  "node,nodeid=0,memdev=ram",
  "-machine",
  "q35,memory-backend=ram",
  "max-ram-below-4g=1G",
  "-device",
  "pc-dimm,memdev=f,addr=0x100000000",
  "virtio-mem-pci,memdev=f,memaddr=0x200000000",
  "-readconfig",
  "vm.cfg",
  "-chardev",
  "socket,id=mon,path=/run/qmp,server=on",
  "-mon",
  "chardev=mon,mode=control",
  "-name",
  "guest=web1",
  "\0",
];

const LINES = [
  [
    "-name",
    "guest=web1",
    "-machine",
    "q35,accel=kvm",
    "-m",
    "2G",
    "-qmp",
    "unix:/run/qmp,server=on",
  ],
  [
    "-machine",
    "pc-i440fx-7.2,memory-backend=ram",
    "-m",
    "size=4194304k,slots=4,maxmem=16777216k",
    "-object",
    "memory-backend-memfd,id=ram,size=4G,share=on",
    "-object",
    '{"qom-type":"memory-backend-file","id":"f","mem-path":"/dev/shm/vm","size":1073741824,"share":true}',
    "-device",
    "pc-dimm,memdev=f,addr=0x140000000",
    "-readconfig",
    "vm.cfg",
  ],
];

const CONFIG = `# a comment
[object "back"]
  qom-type = "memory-backend-ram"
  size = "1G"

[numa]
  type = "node"
  memdev = "back"
[machine]
  type = "q35"
`;

const MAPS =
  `55d0c0a00000-55d0c0b00000 r-xp 00000000 08:01 1234 /usr/bin/qemu-system-x86_64
7f0000000000-7f0040000000 rw-s 00000000 00:1d 77 /dev/shm/vm
7f1000000000-7f1080000000 rw-p 00000000 00:00 0
7f2000000000-7f2100000000 rw-s 00000000 00:01 1045 /memfd:memory-backend-memfd (deleted)
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0 [stack]
`;

export const qemu: Target = {
  name: "qemu",
  open() {
    const { boards, defaults } = archNamed().machines;
    return {
      seeds: LINES.map((line) => [
        encoded(line.join("\0")),
        encoded(CONFIG),
        encoded(MAPS),
      ]),
      mutate: (input, random) => mutateTexts(input, random, WORDS),
      run([line, config, maps]) {
        const args = decoded(line).split("\0");
        splitOptions(args);
        const vmas = parseMaps(decoded(maps));
        let files = 0;
        const machine = parseQemuMachine(
          withConfigFiles(args, () => {
            if (++files > 16) throw new LayoutError("too many files");
            return decoded(config);
          }),
          defaults,
        );
        const memory = { vmas, fds: [], cwd: "/srv" };
        allOf([
          () => qemuLayout(machine, boards),
          () => {
            for (const all of matchBackings(machine.backends, memory)) {
              pluggedBackings(memory, all);
              spareBackings(memory, all);
            }
          },
        ]);
      },
    };
  },
};

export const maps: Target = {
  name: "maps",
  open: () => ({
    seeds: [[encoded(MAPS)]],
    mutate: (input, random) =>
      mutateTexts(input, random, [
        "rw-s",
        "/dev/shm/vm",
        " (deleted)",
        "\\012",
        "[heap]",
        "00:00 0",
      ]),
    run([text]) {
      const memory = { vmas: parseMaps(decoded(text)), fds: [] };
      const backends = [
        { id: "a", kind: "ram", size: 2 ** 31, share: false },
        { id: "b", kind: "memfd", size: 2 ** 32, share: true },
      ].map((one) => ({ ...one, offset: 0, hugetlb: false }));
      allOf(backends.map((one) => () => matchBackings([one], memory)));
    },
  }),
};

const TREE = `FlatView #1
 AS "cpu-memory-0", root: system
 AS "memory", root: system
 Root memory region: system
  0000000000000000-000000000009ffff (prio 0, ram): pc.ram
  00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
  00000000000c0000-000000003fffffff (prio 0, rom): pc.ram @00000000000c0000
  0000000100000000-000000017fffffff (prio 0, ram): late0
`;

/** What may be a QEMU answers at a monitor's socket. */
export const monitor: Target = {
  name: "monitor",
  open() {
    const answers = {
      "query-memdev": [{ id: "pc.ram" }, { id: "late0" }],
      "query-memory-devices": [
        { type: "dimm", data: { memdev: "/objects/late0" } },
        { type: "nvdimm", data: { memdev: "/objects/pmem" } },
      ],
      "info mtree -f": TREE,
      "gpa2hva 0x0": "Host virtual address for 0x0 (pc.ram) is 0x7f0000000000",
      "gpa2hva 0x100000000":
        "Host virtual address for 0x100000000 (late0) is 0x7f1000000000",
    };
    return {
      seeds: [[encoded(JSON.stringify(answers)), encoded(MAPS)]],
      mutate(input, random) {
        if (random.next(3) === 0) {
          const maps = [input[1]];
          mutateTexts(maps, random);
          input[1] = maps[0];
        } else input[0] = mutateJson(input[0], random);
      },
      run([said, maps]) {
        let value: unknown;
        try {
          value = JSON.parse(decoded(said));
        } catch {
          return;
        }
        const table = new Map(
          typeof value === "object" && value !== null
            ? Object.entries(value)
            : [],
        );
        const memory = { vmas: parseMaps(decoded(maps)), fds: [] };
        const plan = askedPlan(
          (command, args) => table.get(args?.["command-line"] ?? command),
          memory,
          "/proc/1/mem",
        );
        allOf([() => mapSegments(plan), () => processSegments(plan)]);
      },
    };
  },
};
