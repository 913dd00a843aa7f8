import assert from "node:assert/strict";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import {
  GUEST,
  HOOKED,
  IDLE,
  quiet,
  run,
  UNSEEN,
} from "../../engine/output/findings/findings_fixture.ts";
import { checkRunJson } from "../../engine/output/findings/findings_json.ts";
import { findingsPage } from "../../engine/output/findings/findings_page.ts";
import { pageOf } from "../../engine/output/page/page_file.ts";
import { HOSTILE, madePage } from "./pages_fixture.ts";

/** Where Debian's package puts it. */
const CHROMIUM = "/usr/bin/chromium";
/** Pictures are kept here, to be looked at. */
const PICTURES = new URL("../../dist/pages/", import.meta.url).pathname;
const VIEWS = [
  "summary",
  "flame",
  "time",
  "functions",
  "calls",
  "syscalls",
  "events",
];

const missing = await Deno.stat(CHROMIUM).then(() => false, () => true);
if (missing) {
  const say =
    `\n*** NO BROWSER: ${CHROMIUM} is missing, so pages are NOT tested; install the package chromium ***\n`;
  if (Deno.env.has("CI")) throw new Error(say);
  console.warn(say);
}

/** Runs a test with a page in a browser, which must not complain. */
function browserTest(
  name: string,
  html: () => string,
  test: (open: (options?: Options) => Promise<Page>) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: missing,
    async fn() {
      await Deno.mkdir(PICTURES, { recursive: true });
      const path = await Deno.makeTempFile({ suffix: ".html" });
      await Deno.writeTextFile(path, html());
      const browser = await chromium.launch({
        executablePath: CHROMIUM,
        args: ["--no-sandbox"],
      });
      const said: string[] = [];
      try {
        await test((options) => opened(browser, path, said, options));
      } finally {
        await browser.close();
        await Deno.remove(path);
      }
      assert.deepEqual(said, []);
    },
  });
}

interface Options {
  readonly phone?: boolean;
  readonly dark?: boolean;
}

async function opened(
  browser: Browser,
  path: string,
  said: string[],
  { phone = false, dark = false }: Options = {},
): Promise<Page> {
  const context = await browser.newContext({
    viewport: phone
      ? { width: 390, height: 844 }
      : { width: 1280, height: 900 },
    hasTouch: phone,
    isMobile: phone,
    colorScheme: dark ? "dark" : "light",
  });
  const page = await context.newPage();
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.message));
  page.on("request", (request) => {
    // Nothing is loaded but the file itself.
    if (request.url() !== `file://${path}`) said.push(request.url());
  });
  await page.goto(`file://${path}`);
  await page.waitForSelector("header h1");
  return page;
}

/** Waits until a condition, written for the browser, holds. */
async function until(page: Page, condition: string): Promise<void> {
  // The page lets no text be evaluated in it, so the browser is asked each time.
  const end = performance.now() + 60_000;
  while (await page.evaluate(`Boolean(${condition})`) !== true) {
    assert.ok(performance.now() < end, `never so: ${condition}`);
    await page.waitForTimeout(20);
  }
}

async function view(page: Page, id: string): Promise<void> {
  await page.click(`#tab-${id}`);
  await until(
    page,
    `document.querySelector("#view").textContent.length > 20 &&
    !document.querySelector("#view").textContent.includes("are being read")`,
  );
}

/** What axe finds that is serious or critical. */
async function seriousFaults(page: Page): Promise<unknown> {
  // Not as an element: the page would not let it run.
  await page.evaluate(axe.source);
  return await page.evaluate(`axe.run().then(({ violations }) =>
    violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) =>
        id + ": " + nodes.slice(0, 3).map(({ html }) => html).join(" ")))`);
}

/** Whether a canvas has more than one colour. */
const DRAWN = `(() => {
  const canvas = document.querySelector("canvas.flame, canvas.time-line");
  if (!canvas || canvas.width === 0) return false;
  const { width, height } = canvas;
  const copy = new OffscreenCanvas(width, height)
    .getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, width, height);
  return new Set(new Uint32Array(data.buffer)).size > 3;
})()`;

const small = madePage(3000, 6);

browserTest(
  "hostile names are text, and foreign calls are marked",
  () => small.html,
  async (open) => {
    const page = await open();
    assert.equal(await page.evaluate("typeof pwned"), "undefined");
    const heading = await page.textContent("header h1");
    assert.equal(
      heading,
      `Trace of core:</script><script>pwned=1</script>"'\\x1b[31m\\u{2028}<b>`,
    );
    await view(page, "events");
    await page.fill('input[type="search"]', "pwned");
    await until(
      page,
      `/^[\\d,]+ of 3,\\d+ events$/.test(document.querySelector("[role=status]").textContent) &&
    !document.querySelector("[role=status]").textContent.startsWith("3,")`,
    );
    const thread = await page.textContent(
      "table.events tbody tr td:nth-child(3)",
    );
    assert.ok(thread?.includes("<script>pwned=1</script>"), thread ?? "");
    assert.ok(!HOSTILE.includes("\\x1b") && thread?.includes("\\x1b[31m"));
    assert.equal(await page.evaluate("typeof pwned"), "undefined");
    assert.equal(
      await page.evaluate("document.querySelectorAll('b').length"),
      0,
    );

    await view(page, "calls");
    const foreign = await page.$$eval(
      "table.tree tr.bad",
      (rows) => rows.map((row) => String(row.textContent)),
    );
    assert.ok(
      foreign.some((text) =>
        /hook_openat \[rootkit\].*a module below the dispatcher .*; called by x64_sys_call, module rootkit, \d+ times/
          .test(text)
      ),
      foreign.join("\n"),
    );
    assert.ok(
      foreign.some((text) =>
        /0xffffffffc0de0000.*in no known code; called by hook_openat \[rootkit\]/
          .test(text)
      ),
      foreign.join("\n"),
    );
    assert.equal(
      await page.evaluate(
        `getComputedStyle(document.querySelector("table.tree tr.bad .name.foreign")).color`,
      ),
      "rgb(168, 13, 31)",
    );
  },
);

browserTest(
  "views are moved, searched and filtered by mouse, wheel, keys and touch",
  () => small.html,
  async (open) => {
    const page = await open();
    const detail = () => page.textContent(".detail");
    // Keys move among the views.
    await page.focus("#tab-summary");
    await page.keyboard.press("ArrowRight");
    await until(page, `document.activeElement.id === "tab-flame"`);
    await until(page, DRAWN);
    // The flame graph: keys choose and zoom, a search says how much it found.
    await page.focus("canvas.flame");
    await page.keyboard.press("ArrowDown");
    await until(
      page,
      `/^x64_sys_call: /.test(document.querySelector(".detail").textContent)`,
    );
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    const all = page.getByRole("button", { name: "Show all" });
    assert.equal(await all.isEnabled(), true);
    await page.keyboard.press("Escape");
    await until(
      page,
      `[...document.querySelectorAll("button")].find((each) => each.textContent === "Show all").disabled`,
    );
    await page.fill('input[type="search"]', "getname");
    await until(
      page,
      `/^\\d+\\.\\d % of the time is in what was found$/.test(document.querySelector(".bar [role=status]").textContent)`,
    );
    const first = page.locator("canvas.flame");
    await first.click({ position: { x: 40, y: 50 } });
    assert.equal(await all.isEnabled(), true);
    // One thread is shown alone.
    const threads = page.getByLabel("Thread or process");
    await threads.selectOption({ index: 2 });
    await until(page, DRAWN);

    // The time line.
    await view(page, "time");
    await until(page, DRAWN);
    const range = () => page.textContent("#time-range");
    const whole = await range();
    const canvas = page.locator("canvas.time-line");
    await canvas.hover({ position: { x: 600, y: 100 } });
    await page.mouse.wheel(0, -300);
    await until(
      page,
      `document.querySelector("#time-range").textContent !== ${
        JSON.stringify(whole)
      }`,
    );
    const zoomed = await range();
    await page.mouse.down();
    await page.mouse.move(500, 420, { steps: 4 });
    await page.mouse.up();
    await until(
      page,
      `document.querySelector("#time-range").textContent !== ${
        JSON.stringify(zoomed)
      }`,
    );
    const moved = await range();
    assert.equal(moved?.split(" from")[0], zoomed?.split(" from")[0]);
    await canvas.focus();
    await page.keyboard.press("+");
    await until(
      page,
      `document.querySelector("#time-range").textContent !== ${
        JSON.stringify(moved)
      }`,
    );
    await page.keyboard.press("Home");
    await until(
      page,
      `document.querySelector("#time-range").textContent === ${
        JSON.stringify(whole)
      }`,
    );
    // Somewhere a thread was on the first CPU.
    for (
      let x = 300;
      x < 400 && !(await detail())?.startsWith("CPU 0: ");
      x++
    ) {
      await canvas.hover({ position: { x, y: 50 } });
      await page.waitForTimeout(20);
    }
    assert.match(await detail() ?? "", /^CPU 0: .*-\d+, .*s, at \d+\.\d{6}$/);
    await page.keyboard.press("+");
    await page.keyboard.press("+");
    await page.getByRole("button", { name: "List these events" }).click();
    await until(
      page,
      `/^[\\d,]+ of 3,\\d+ events$/.test(document.querySelector("[role=status]").textContent)`,
    );
    const listed = await page.textContent("[role=status]") ?? "";
    const [found, of] = listed.replaceAll(",", "").match(/\d+/g)!.map(Number);
    assert.ok(found > 0 && found < of, listed);
  },
);

browserTest(
  "a phone: two fingers zoom the time line, and nothing is wider than the display",
  () => small.html,
  async (open) => {
    const page = await open({ phone: true, dark: true });
    for (const id of VIEWS) {
      await view(page, id);
      await until(
        page,
        `document.querySelector("canvas") === null || ${DRAWN} || document.querySelector(".u-wrap") !== null`,
      );
      assert.ok(
        await page.evaluate(
          "document.documentElement.scrollWidth <= innerWidth",
        ),
        `${id} is wider than the display`,
      );
      await page.screenshot({ path: `${PICTURES}phone-${id}.png` });
    }
    await view(page, "time");
    await until(page, DRAWN);
    await page.locator("canvas.time-line").scrollIntoViewIfNeeded();
    const box = (await page.locator("canvas.time-line").boundingBox())!;
    const range = await page.textContent("#time-range");
    const session = await page.context().newCDPSession(page);
    const fingers = (apart: number) =>
      [-apart, apart].map((x, id) => ({
        x: box.x + box.width / 2 + x,
        y: box.y + 150,
        id,
      }));
    await session.send("Input.dispatchTouchEvent", {
      type: "touchStart",
      touchPoints: fingers(30),
    });
    for (const apart of [50, 80, 120]) {
      await session.send("Input.dispatchTouchEvent", {
        type: "touchMove",
        touchPoints: fingers(apart),
      });
    }
    await session.send("Input.dispatchTouchEvent", {
      type: "touchEnd",
      touchPoints: [],
    });
    await until(
      page,
      `document.querySelector("#time-range").textContent !== ${
        JSON.stringify(range)
      }`,
    );
    const ms = (text: string | null) => Number(/^[\d.]+/.exec(text ?? "")?.[0]);
    const after = await page.textContent("#time-range");
    // Zoomed to about a quarter, in the same unit or a smaller one.
    assert.ok(
      after?.includes(" µs") && range?.includes(" ms") ||
        ms(after) < ms(range) / 2,
      `${range} ${after}`,
    );
  },
);

browserTest(
  "no view has a serious fault for those who cannot see well or use a mouse",
  () => small.html,
  async (open) => {
    for (const dark of [false, true]) {
      const page = await open({ dark });
      for (const id of VIEWS) {
        await view(page, id);
        if (id === "functions") await page.click("table button.link");
        if (id === "flame" || id === "time") await until(page, DRAWN);
        assert.deepEqual(
          await seriousFaults(page),
          [],
          `${id}, ${dark ? "dark" : "light"}`,
        );
        await page.screenshot({
          path: `${PICTURES}${dark ? "dark" : "light"}-${id}.png`,
          fullPage: true,
        });
      }
      await page.close();
    }
  },
);

browserTest(
  "a page about checks shows its verdict and findings",
  () =>
    pageOf(findingsPage(checkRunJson(
      { ...GUEST, target: `qemu:${HOSTILE}` },
      run(HOOKED, UNSEEN, IDLE, quiet("XF003")),
    ))),
  async (open) => {
    for (const options of [{ dark: true }, { phone: true }]) {
      const page = await open(options);
      assert.match(
        await page.textContent(".verdict.bad") ?? "",
        /1 finding \(1 critical\), 1 thing could not be judged/,
      );
      assert.equal(await page.evaluate("typeof pwned"), "undefined");
      assert.match(
        await page.textContent("tr.bad") ?? "",
        /^critical.*XF001.*sys_call_table\[257\] leads to evil \[rk\]/,
      );
      assert.deepEqual(await seriousFaults(page), []);
      assert.ok(
        await page.evaluate(
          "document.documentElement.scrollWidth <= innerWidth",
        ),
      );
      await page.screenshot({
        path: `${PICTURES}check-${options.dark ? "dark" : "phone"}.png`,
        fullPage: true,
      });
    }
  },
);

let million = "";

browserTest(
  "a million events are shown",
  () => {
    const { html, events } = madePage(1_000_000, 64);
    million = `${events.toLocaleString("en-US")} events, ${
      (html.length / 2 ** 20).toFixed(1)
    } MiB`;
    return html;
  },
  async (open) => {
    const page = await open();
    // Since the browser began to open the file.
    const now = async () => Number(await page.evaluate("performance.now()"));
    await until(page, `document.querySelector(".u-wrap") !== null`);
    const summary = await now();
    await page.click("#tab-events");
    await page.waitForSelector("table.events tbody tr:nth-child(200)");
    const events = await now();
    await page.click("#tab-time");
    await until(page, DRAWN);
    const line = await now();
    const frames: unknown = await page.evaluate(`(async () => {
      const canvas = document.querySelector("canvas.time-line");
      const times = [];
      let last = await new Promise(requestAnimationFrame);
      for (let i = 0; i < 90; i++) {
        canvas.dispatchEvent(new WheelEvent("wheel", {
          deltaY: i < 45 ? -60 : 60, clientX: 600, clientY: 500, bubbles: true, cancelable: true,
        }));
        const now = await new Promise(requestAnimationFrame);
        times.push(now - last);
        last = now;
      }
      return times;
    })()`);
    assert.ok(Array.isArray(frames) && frames.length === 90);
    const sorted = frames.map(Number).sort((a, b) => a - b);
    await page.click("#tab-flame");
    await until(page, DRAWN);
    await page.click("#tab-events");
    const filtering = await now();
    await page.fill('input[type="search"]', "thread 101");
    await until(
      page,
      `/^[\\d,]+ of 1,\\d+,\\d+ events$/.test(document.querySelector("[role=status]").textContent) && !/^1,\\d+,/.test(document.querySelector("[role=status]").textContent)`,
    );
    const filtered = await now() - filtering;
    const ms = (value: number) => `${value.toFixed(0)} ms`;
    console.log(
      `${million}: summary after ${ms(summary)}, list of events after ${
        ms(events)
      }, time line after ${ms(line)}; ` +
        `a frame of the time line takes ${ms(sorted[45])} (median), ${
          ms(sorted[85])
        } (95 %), ${ms(sorted[89])} (longest); ` +
        `a filter by arguments ${ms(filtered)}`,
    );
  },
);
