import assert from "node:assert/strict";
import { VERSION } from "./version.ts";

function text(path: string): string {
  return Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));
}

Deno.test("the version is the same wherever it is stated", () => {
  const stated: readonly (readonly [path: string, form: RegExp])[] = [
    ["deno.json", /"version": "([^"]+)"/],
    ["guest/main.c", /MODULE_VERSION\("([^"]+)"\)/],
    ["guest/dkms.conf", /PACKAGE_VERSION="([^"]+)"/],
    ["README.md", /xftrace-([\d.]+)\.tgz/],
    ["CHANGELOG.md", /^## \[(\d[^\]]*)\]/m],
  ];
  for (const [path, form] of stated) {
    assert.equal(form.exec(text(path))?.[1], VERSION, path);
  }
});
