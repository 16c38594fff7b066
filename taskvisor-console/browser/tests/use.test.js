// By keyboard alone; actions and their answers; the log; what a reader of the screen gets; light, dark and still.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { browser, isClean, live, LONG, open, row, says, SHOTS, tree, until, useBrowser } from "./live.js";

useBrowser();

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const focus = (page) => page.evaluate(() => {
  const element = document.activeElement;
  const shown = element.querySelector?.(".active") ?? element;
  return { name: element.textContent.slice(0, 40), label: element.ariaLabel, id: element.id, outline: getComputedStyle(shown).outlineStyle };
});

const active = (page) => page.locator("#tree .row.active .c-name > span").textContent();

test("the page can be used by keyboard alone", async () => {
  const program = await live(["shop"]);
  const page = await open(program.url);
  const keys = async (...all) => {
    for (const key of all) await page.keyboard.press(key);
  };
  await keys("/");
  assert.equal((await focus(page)).id, "filter");
  await page.keyboard.type("admin");
  await until(async () => (await page.locator("#tree .row[aria-level]").count()) === 3, "the filter");
  await keys("Escape", "Escape");
  assert.equal((await focus(page)).label, "Tasks");
  await keys("Home", "ArrowDown");
  assert.equal(await active(page), "store");
  assert.notEqual((await focus(page)).outline, "none");
  const id = await page.locator("#tree .treegrid").getAttribute("aria-activedescendant");
  assert.equal(await page.locator(`#${id}`).getAttribute("aria-level"), "2");

  await keys("ArrowLeft");
  assert.equal(await row(page, "store").getAttribute("aria-expanded"), "false");
  assert.equal(await row(page, "replica").count(), 0);
  await keys("ArrowRight", "ArrowRight");
  assert.equal(await active(page), "pool");
  await keys("ArrowLeft");
  assert.equal(await active(page), "store");

  await keys("ArrowDown", "Enter");
  await page.locator("#drawer h2", { hasText: "store/pool" }).waitFor();
  // By Tab to the buttons, each with a visible focus.
  await until(async () => {
    await keys("Tab");
    const at = await focus(page);
    assert.notEqual(at.outline, "none", JSON.stringify(at));
    return at.name === "Pause";
  }, "the button");
  await keys("Enter");
  await page.locator(".answer", { hasText: "Pause: paused" }).waitFor({ timeout: LONG });
  await until(async () => (await focus(page)).name === "Resume", "the focus stays with the button");
  await keys("Space");
  await page.locator(".answer", { hasText: "Resume: resumed" }).waitFor({ timeout: LONG });

  // The question keeps the focus, and Escape is no.
  await until(async () => {
    await keys("Tab");
    return (await focus(page)).name === "Cancel";
  }, "the button");
  await keys("Enter");
  await page.locator("dialog[open]").waitFor();
  assert.equal((await focus(page)).name, "Keep");
  await keys("Escape");
  assert.equal((await focus(page)).name, "Cancel");
  const state = async () => (await tree(program)).nodes.find((node) => node.path === "store/pool").state;
  assert.equal(await state(), "running");
  await keys("Enter");
  await page.locator("dialog[open]").waitFor();
  await keys("Tab", "Enter");
  await page.locator(".answer", { hasText: "Cancel: " }).waitFor({ timeout: LONG });
  await until(async () => (await state()) === "ended", "it has ended");

  await keys("Escape");
  await page.locator("#attention").waitFor();
  assert.equal((await focus(page)).label, "Tasks");
  assert.equal(await active(page), "pool");
  await isClean(page);
});

test("an action gives the real answer, and is a line of the log", async () => {
  const program = await live(["shop"]);
  const page = await open(program.url);
  await row(page, "nightly-report").click();
  await page.getByRole("button", { name: "Run now" }).click();
  await page.locator(".answer", { hasText: /^\d\d:\d\d:\d\d Run now: triggered$/ }).waitFor({ timeout: LONG });
  await page.locator("#log .row", { hasText: "ConsoleAction" }).filter({ hasText: "nightly-report" }).first().waitFor({ timeout: LONG });
  await row(page, "http").click();
  await page.getByRole("button", { name: "Restart" }).click();
  await page.locator("#ask-yes").click();
  await page.locator(".answer", { hasText: "Restart: restarted" }).waitFor({ timeout: LONG });
  await until(async () => (await row(page, "http").textContent()).includes("#2"), "the next attempt");
  await isClean(page);
});

test("a drawer that was closed asks for no details", async () => {
  const program = await live(["states"]);
  const context = await browser.newContext();
  // Details are read again three seconds later than they would be. They are never read at once but for the first time.
  await context.addInitScript(() => {
    const real = globalThis.setTimeout;
    globalThis.setTimeout = (act, ms) => real(act, ms > -60_000 && ms <= 1000 ? 3000 : ms);
  });
  const page = await open(program.url, {}, context);
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).search));
  await row(page, "running").click();
  await page.locator(".settings dl").waitFor({ timeout: LONG });
  // After this change they are read again, later.
  await page.locator("#drawer button", { hasText: "Pause" }).click();
  await page.locator("#drawer .state", { hasText: "paused" }).waitFor({ timeout: LONG });
  await page.keyboard.press("Escape");
  await page.locator("#drawer").waitFor({ state: "hidden" });
  await page.evaluate(() => new Promise((wake) => setTimeout(wake, 1000)));
  const details = asked.filter((search) => search.startsWith("?node="));
  assert.deepEqual([...new Set(details)], ["?node=running"]);
  await isClean(page);
});

test("a refusal is shown as it is", async () => {
  const program = await live(["shop"]);
  const page = await open(program.url);
  await row(page, "http").click();
  await page.route("**/console?pause=**", (route) => route.fulfill({ status: 409, json: { error: "it is shutting down" } }));
  await page.locator(".actions").getByRole("button", { name: "Pause" }).click();
  await page.locator(".answer[data-bad]", { hasText: "Pause: it is shutting down (409)" }).waitFor({ timeout: LONG });
});

test("a read-only console says so, and has no buttons", async () => {
  const program = await live(["shop"], { READ_ONLY: "1" });
  const page = await open(program.url);
  await page.getByText("read-only").waitFor();
  await row(page, "http").click();
  await page.locator(".settings dl").waitFor({ timeout: LONG });
  assert.equal(await page.locator(".actions button").count(), 0);
  assert.equal(await page.getByRole("button", { name: "Shut down" }).count(), 0);
  await isClean(page);
});

test("the log is filtered by kind, path and text, stands still and can be copied", async () => {
  const program = await live(["shop"]);
  const page = await open(program.url);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const lines = page.locator("#log .row");
  await page.getByLabel("Filter the log by kind").fill("taskfailed");
  await page.getByLabel("Filter the log by path").fill("search/");
  await page.getByLabel("Filter the log by text").fill("refused");
  await lines.first().waitFor({ timeout: LONG });
  for (const text of await lines.allTextContents()) assert.match(text, /TaskFailed.*search\/.*refused/);
  await page.locator("#log").getByRole("button", { name: "Pause" }).click();
  const before = await lines.allTextContents();
  await page.locator("#log .note", { hasText: /paused, [1-9]\d* new/ }).waitFor({ timeout: LONG });
  assert.deepEqual(await lines.allTextContents(), before);
  await page.locator("#log").getByRole("button", { name: "Copy" }).click();
  await page.locator("#log .note", { hasText: "lines copied" }).waitFor({ timeout: LONG });
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.ok(copied.split("\n").length >= before.length);
  assert.match(copied.split("\n")[0], /^\d{4}-.*TaskFailed search\//);
  await isClean(page);
});

/** Each view in one look, and what differs in the others. */
const LOOKS = [
  ["light", 1280, ["tree", "timers", "slots", "drawer", "question"]],
  ["dark", 1280, ["tree", "drawer"]],
  ["dark", 390, ["tree", "attention", "log", "drawer"]],
];

const VIEWS = {
  tree: (page) => page.locator("#tab-tree").click(),
  timers: (page) => page.locator("#tab-timers").click(),
  slots: (page) => page.locator("#tab-slots").click(),
  attention: (page) => page.locator("#tab-attention").click(),
  log: (page) => page.locator("#tab-log").click(),
  async drawer(page) {
    await page.locator("#tab-tree").click();
    await row(page, "pool").click();
    await page.locator(".settings dl").waitFor({ timeout: LONG });
  },
  question: (page) => page.locator(".actions button", { hasText: "Cancel" }).click(),
};

test("axe finds nothing in any view, in light and dark, wide and narrow", async () => {
  const program = await live(["states"]);
  for (const [colorScheme, width, views] of LOOKS) {
    const page = await open(program.url, { colorScheme, viewport: { width, height: 800 } });
    await page.evaluate(AXE);
    for (const view of views) {
      await VIEWS[view](page);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).slice(0, 3).join(" ")}`);
      assert.deepEqual(found, [], `${view}, ${colorScheme}, ${width}`);
    }
    await page.context().close();
  }
});

test("what is selected in the details stays selected while they are read again", async () => {
  const program = await live(["shop"]);
  const page = await open(program.url);
  await row(page, "payments").click();
  await page.locator(".settings dl").waitFor({ timeout: LONG });
  await page.evaluate(() => getSelection().selectAllChildren(document.querySelector(".settings")));
  const text = await page.evaluate(() => getSelection().toString());
  assert.match(text, /backoff\.first/);
  const newest = () => page.locator(".history li").first().textContent();
  const before = await newest();
  await until(async () => (await newest()) !== before, "another attempt");
  assert.equal(await page.evaluate(() => getSelection().toString()), text);
  await isClean(page);
});

test("details that cover the page have the focus, and give it back", async () => {
  const program = await live(["shop"]);
  // As on a phone, or in a wide window at 200 %.
  const page = await open(program.url, { viewport: { width: 640, height: 400 } });
  await page.locator("#tree .treegrid").focus();
  for (const key of ["ArrowDown", "ArrowDown", "Enter"]) await page.keyboard.press(key);
  await page.locator("#drawer h2", { hasText: "store/pool" }).waitFor();
  const inside = () => page.evaluate(() => document.getElementById("drawer").contains(document.activeElement));
  assert.equal(await inside(), true);
  await page.keyboard.press("Escape");
  assert.equal((await focus(page)).label, "Tasks");
  assert.equal(await active(page), "pool");
  // Beside the tree they leave it the focus.
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.keyboard.press("Enter");
  await page.locator("#drawer h2", { hasText: "store/pool" }).waitFor();
  assert.equal(await inside(), false);
  await isClean(page);
});

test("a wide window at 400 % has room for rows, and scrolls in one direction", async () => {
  const program = await live(["shop"]);
  const page = await open(program.url, { viewport: { width: 320, height: 256 } });
  await page.locator("#tree .treegrid").focus();
  await page.keyboard.press("End");
  const row_ = page.locator("#tree .row.active", { hasText: "console" });
  await row_.waitFor({ timeout: LONG });
  await row_.scrollIntoViewIfNeeded();
  // Nothing lies upon anything else.
  await page.locator("#shutdown").click({ trial: true });
  await page.locator(".chip:not([hidden])").first().click({ trial: true });
  const rows = await page.locator("#tree .treegrid").evaluate((box) => box.clientHeight / box.querySelector(".row[aria-level]").offsetHeight);
  assert.ok(rows > 4, `${rows} rows`);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "nothing sticks out");
  await isClean(page);
});

test("the chosen row, tab and filter can be told where colors are forced", async () => {
  const program = await live(["shop"]);
  const page = await open(program.url, { forcedColors: "active" });
  await page.getByRole("button", { name: /^running/ }).click();
  await row(page, "http").click();
  const looks = (selector) => page.locator(selector).first().evaluate((element) => {
    const { outlineStyle, outlineColor, borderBottomColor, borderBottomWidth } = getComputedStyle(element);
    return [outlineStyle !== "none" && !/^rgba.*, 0\)$/.test(outlineColor), borderBottomColor, borderBottomWidth].join();
  });
  for (const [chosen, other] of [
    ["#tree .active", "#tree .row[aria-level]:not(.active)"],
    ["[role=tab][aria-selected=true]", "[role=tab][aria-selected=false]"],
    [".chip[aria-pressed=true]", ".chip[aria-pressed=false]:not([hidden])"],
  ]) assert.notEqual(await looks(chosen), await looks(other), chosen);
  await isClean(page);
});

test("a number that changes all the time is not read out", async () => {
  const program = await live(["shop"]);
  const page = await open(program.url);
  await page.locator("#log").getByRole("button", { name: "Pause" }).click();
  const number = page.locator("#log .note", { hasText: /paused, [1-9]\d* new/ });
  await number.waitFor({ timeout: LONG });
  const live_ = await page.locator("[role=status], [aria-live]").allTextContents();
  assert.deepEqual(live_.filter((text) => /new/.test(text)), []);
  await page.locator("#log").getByRole("button", { name: "Copy" }).click();
  await page.getByRole("status").filter({ hasText: "lines copied" }).waitFor({ timeout: LONG });
});

test("light, dark and narrow pages are readable, and nothing moves", async () => {
  const program = await live(["shop"]);
  const light = {};
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 390]) {
      const page = await open(program.url, { colorScheme, reducedMotion: "reduce", viewport: { width, height: 800 } });
      await says(page, "live");
      await page.locator("#attention .row, #tab-attention b:not(:empty)").first().waitFor({ timeout: LONG, state: "attached" });
      await page.screenshot({ path: `${SHOTS}${colorScheme}-${width}.png` });
      const [sum] = await page.evaluate(() => {
        const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
        return [r + g + b];
      });
      light[colorScheme] = sum;
      assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "nothing sticks out");
      await isClean(page);
      await page.context().close();
    }
  }
  assert.ok(light.light > 600 && light.dark < 150, JSON.stringify(light));
});

test("no column moves while times pass", async () => {
  const program = await live(["states"]);
  const page = await open(program.url);
  const places = () => page.evaluate(() => [...document.querySelectorAll("#tree .row:nth-child(-n+5) > span")].map((cell) => {
    const { x, width } = cell.getBoundingClientRect();
    return `${x} ${width}`;
  }).join());
  await row(page, "pool").click();
  await page.locator(".facts dd").first().waitFor();
  const fact = () => page.locator(".facts div").evaluateAll((all) => all.map((one) => JSON.stringify(one.getBoundingClientRect())).join());
  const [before, facts] = [await places(), await fact()];
  const texts = new Set();
  await until(async () => {
    texts.add(await page.locator(".why").textContent());
    assert.equal(await places(), before);
    assert.equal(await fact(), facts);
    return texts.size > 8;
  }, "some seconds");
  await isClean(page);
});
