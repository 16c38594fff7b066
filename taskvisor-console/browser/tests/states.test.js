// Every state is shown, by icon, word and color; and hostile names and errors are only text.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isClean, live, LONG, open, row, tree, until, useBrowser } from "./live.js";

useBrowser();

/** The word and the icon for the task of this name. */
const STATES = {
  running: ["running", "running"], interval: ["interval", "interval"], scheduled: ["scheduled", "clock"], throttled: ["throttled", "clock"],
  delayed: ["delayed", "clock"], paused: ["paused", "paused"], standby: ["standby", "standby"], "not-ready": ["not ready", "unready"],
  silent: ["silent", "silent"], exhausted: ["exhausted", "failed"], panics: ["panicked", "failed"], stopping: ["stopping", "stopping"],
  migrate: ["completed", "ended"], pool: ["backoff", "backoff"], serve: ["pending", "pending"],
};

test("every state is shown by icon, word and color", async () => {
  const program = await live(["states"]);
  const page = await open(program.url, { viewport: { width: 1280, height: 1200 } });
  const colors = new Map();
  for (const [name, [word, icon]] of Object.entries(STATES)) {
    const cell = row(page, name).locator(".c-state");
    await cell.filter({ hasText: word }).waitFor({ timeout: LONG });
    assert.equal(await cell.locator("use").getAttribute("href"), `#i-${icon}`, name);
    colors.set(word, await cell.evaluate((element) => getComputedStyle(element).color));
  }
  const ink = await page.evaluate(() => getComputedStyle(document.body).color);
  for (const [word, color] of colors) assert.notEqual(color, ink, word);
  for (const [one, other] of [["running", "backoff"], ["running", "exhausted"], ["backoff", "exhausted"], ["paused", "running"]]) {
    assert.notEqual(colors.get(one), colors.get(other), `${one} and ${other}`);
  }
  await isClean(page);
});

test("the page says why each task does not run", async () => {
  const program = await live(["states"]);
  const page = await open(program.url, { viewport: { width: 1280, height: 1200 } });
  await row(page, "pool").click();
  await page.locator(".why", { hasText: /^Is in backoff.*\d+ s left\.$/ }).waitFor({ timeout: LONG });
  // The sentence counts down by itself.
  const texts = new Set();
  await until(async () => texts.add(await page.locator(".why").textContent()).size > 2, "a countdown");
  await page.locator(".error li", { hasText: "cannot read the catalogue" }).waitFor({ timeout: LONG });
  await page.locator(".error li", { hasText: "connection refused" }).waitFor({ timeout: LONG });
  await page.locator(".settings", { hasText: "backoff.first" }).waitFor({ timeout: LONG });
  await row(page, "serve").click();
  await page.locator(".why", { hasText: "Waits for store" }).waitFor({ timeout: LONG });
  await row(page, "standby").click();
  await page.locator(".why", { hasText: "host-b" }).waitFor({ timeout: LONG });
  await isClean(page);
});

test("an attempt is one bar, with gaps between", async () => {
  const program = await live(["states"]);
  const page = await open(program.url);
  await row(page, "pool").click();
  const bars = page.locator(".history rect.bad");
  await until(async () => (await bars.count()) >= 3, "three attempts");
  assert.ok((await page.locator(".history rect.rest").count()) >= 2);
  assert.ok((await page.locator(".history li.pause").count()) >= 2);
  assert.match(await row(page, "pool").textContent(), /\d\/50/, "failures of the most that are allowed");
  const spark = row(page, "pool").locator("svg.spark");
  await until(async () => /\d failed/.test(await spark.getAttribute("aria-label")), "the bars of the row");
  await isClean(page);
});

test("what needs attention is listed, the most urgent first", async () => {
  const program = await live(["states"]);
  const page = await open(program.url);
  const list = page.locator("#attention .row");
  await list.filter({ hasText: "silent" }).first().waitFor({ timeout: LONG });
  const words = await list.locator(".c-state").allTextContents();
  const ranks = words.map((word) => ["fatal panicked exhausted", "silent", "backoff", "not ready"].findIndex((some) => some.includes(word)));
  const known = ranks.filter((rank) => rank >= 0);
  assert.deepEqual(known, [...known].sort(), words.join());
  for (const name of ["exhausted", "panics", "silent", "store/pool", "not-ready"]) {
    await list.locator(".c-path", { hasText: new RegExp(`^${name}$`) }).waitFor({ timeout: LONG });
  }
  await isClean(page);
});

test("slots, leases and timers have views", async () => {
  const program = await live(["states"]);
  const page = await open(program.url);
  await page.getByRole("tab", { name: "Timers" }).click();
  await page.locator("#timers .row", { hasText: "delayed" }).waitFor({ timeout: LONG });
  const due = (await tree(program)).nodes.filter((node) => node.next_at).map((node) => node.path);
  assert.ok(due.includes("scheduled"));
  await page.getByRole("tab", { name: "Leases" }).click();
  const lease = page.locator("#leases .row", { hasText: "standby" });
  await lease.filter({ hasText: "host-b" }).waitFor({ timeout: LONG });
  await page.getByRole("tab", { name: "Slots" }).click();
  const slot = page.locator("#slots .row", { hasText: "deploy-41" });
  await slot.waitFor({ timeout: LONG });
  assert.match(await slot.textContent(), /deploy-42/);
  await page.locator("#slots .row", { hasText: "import" }).click();
  await page.locator("#drawer button", { hasText: "Resume" }).click();
  await page.locator(".answer", { hasText: "Resume: resumed" }).waitFor({ timeout: LONG });
  await isClean(page);
});

test("hostile names and errors cause no report of the policy for contents", async () => {
  const program = await live(["states"]);
  const page = await open(program.url, { viewport: { width: 1280, height: 1200 } });
  const hostile = page.locator("#tree .row", { hasText: '<img src=x onerror="alert(1)">' });
  await hostile.click();
  await page.locator(".error li", { hasText: "</script><script>alert(2)</script>" }).waitFor({ timeout: LONG });
  await page.locator("#log .row").first().waitFor({ timeout: LONG });
  await page.fill("#filter", "<img");
  await hostile.waitFor();
  assert.equal(await page.locator("img, b[onclick], body script").count(), 0);
  await isClean(page);
});

test("counts are filters, and the text filter keeps the groups above", async () => {
  const program = await live(["states"]);
  const page = await open(program.url, { viewport: { width: 1280, height: 1200 } });
  await page.getByRole("button", { name: /^backoff/ }).click();
  await until(async () => (await page.locator("#tree .row[aria-level]").count()) === 3, "the root, `store` and `pool`");
  assert.deepEqual(await page.locator("#tree .row[aria-level] .c-name > span").allTextContents(), ["states", "store", "pool"]);
  await page.keyboard.press("Escape");
  await page.fill("#filter", "delayed");
  await until(async () => (await page.locator("#tree .row[aria-level]").count()) === 2, "the root and `delayed`");
  await isClean(page);
});

test("the page works with and without a slash at the end of its address", async () => {
  const program = await live(["shop"]);
  for (const url of [program.url, `${program.url}/`]) {
    const page = await open(url);
    await row(page, "http").click();
    await page.locator(".settings dl").waitFor({ timeout: LONG });
    await isClean(page);
  }
});

test("an error of many lines keeps them, and names of any script are shown", async () => {
  const program = await live(["odd"]);
  const page = await open(program.url);
  await row(page, "migrate").click();
  const error = page.locator(".error li", { hasText: "cannot apply migration" });
  await error.waitFor({ timeout: LONG });
  assert.equal((await error.innerText()).split("\n").length, 6);
  for (const name of ["مهمة-الاستيراد", "名寄せバッチ処理", "<b>bold&amp;<script>alert(1)", "a+b&c=d?e#f%20", "two\nlines"]) {
    await page.locator("#tree .row .c-name > span", { hasText: name }).click();
    await page.locator("#drawer h2", { hasText: name }).waitFor();
    await page.locator(".settings dl").waitFor({ timeout: LONG });
  }
  for (const width of [1280, 1024, 640, 390]) {
    await page.setViewportSize({ width, height: 800 });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${width}`);
  }
  await isClean(page);
});

test("a path that is too long for its place is cut at its beginning, so that the name stays", async () => {
  const program = await live(["odd"]);
  const page = await open(program.url, { viewport: { width: 1000, height: 700 } });
  const path = page.locator("#attention .c-path > span", { hasText: "level-11/level-12/sick-leaf" });
  await path.waitFor({ timeout: LONG });
  // The end of the text is inside its cell, and its beginning is not.
  const [start, end] = await path.evaluate((cell) => {
    const text = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT).nextNode();
    const { left, right } = cell.getBoundingClientRect();
    const isInside = (at) => {
      const range = document.createRange();
      range.setStart(text, at);
      range.setEnd(text, at + 1);
      const letter = range.getBoundingClientRect();
      return letter.left >= left - 1 && letter.right <= right + 1;
    };
    return [isInside(0), isInside(text.length - 1)];
  });
  assert.deepEqual([start, end], [false, true]);
  // Short ones begin where they always do.
  const short = page.locator("#attention .c-path > span", { hasText: "odd/migrate" });
  const [x, inner] = await short.evaluate((cell) => [cell, cell.firstChild].map((one) => Math.round(one.getBoundingClientRect().x)));
  assert.equal(inner, x);
  await isClean(page);
});
