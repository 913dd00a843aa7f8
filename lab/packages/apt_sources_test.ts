import assert from "node:assert/strict";
import {
  formatDeb822,
  ofSuite,
  parseDeb822,
  parseOneLine,
  withBackports,
} from "./apt_sources.ts";

const DEB822 = `# a comment
Types: deb deb-src
# another
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/example.gpg

Types: deb-src
URIs: http://mirror.example/debian
Suites: bookworm

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm

Types: deb
URIs: http://key.example/debian
Suites: other
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----
`;

Deno.test("reads deb822 sources", () => {
  const [first, second, ...rest] = parseDeb822(DEB822);
  assert.deepEqual(first, {
    uris: ["http://mirror.example/debian"],
    suites: ["bookworm", "bookworm-updates"],
    components: ["main", "contrib"],
    signedBy: "/usr/share/keyrings/example.gpg",
  });
  assert.equal(second.suites[0], "other");
  assert.match(second.signedBy ?? "", /^\n -----BEGIN[^]*END PGP/);
  assert.deepEqual(rest, []);
});

Deno.test("reads one-line sources", () => {
  const sources = parseOneLine(`# deb http://old.example x main
deb http://a.example/debian bookworm main contrib # why
deb-src http://a.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://b.example/debian bookworm main
nonsense`);
  assert.deepEqual(sources, [
    {
      uris: ["http://a.example/debian"],
      suites: ["bookworm"],
      components: ["main", "contrib"],
      signedBy: undefined,
    },
    {
      uris: ["http://b.example/debian"],
      suites: ["bookworm"],
      components: ["main"],
      signedBy: "/k.gpg",
    },
  ]);
});

Deno.test("written sources can be read again", () => {
  const sources = parseDeb822(DEB822);
  assert.deepEqual(parseDeb822(formatDeb822(sources)), sources);
});

Deno.test("adds backports on the release's mirror, with its key", () => {
  const added = withBackports(parseDeb822(DEB822), "bookworm");
  assert.deepEqual(added.map((source) => source.suites), [
    ["bookworm", "bookworm-updates"],
    ["bookworm-backports"],
  ]);
  assert.deepEqual(added[1].uris, ["http://mirror.example/debian"]);
  assert.equal(added[1].signedBy, "/usr/share/keyrings/example.gpg");
});

Deno.test("keeps backports that are set up already", () => {
  const sources = parseOneLine(`deb http://a.example/d bookworm main
deb http://a.example/d bookworm-backports main`);
  assert.deepEqual(withBackports(sources, "bookworm"), sources);
});

Deno.test("accepts a release that is named stable", () => {
  const sources = parseOneLine("deb http://a.example/d stable main");
  assert.deepEqual(
    withBackports(sources, "bookworm").at(-1)?.suites,
    ["bookworm-backports"],
  );
});

Deno.test("another suite comes from the mirrors and keys of the host's release", () => {
  const release = {
    uris: ["http://mirror.example/debian"],
    suites: ["bookworm", "bookworm-updates"],
    components: ["main", "contrib"],
    signedBy: "/keys.gpg",
  };
  const security = {
    uris: ["http://mirror.example/security"],
    suites: ["bookworm-security"],
    components: ["main"],
  };
  assert.deepEqual(ofSuite([security, release], "bookworm", "sid"), [
    { ...release, suites: ["sid"], components: ["main"] },
  ]);
  assert.deepEqual(ofSuite([security], "bookworm", "sid"), []);
});
