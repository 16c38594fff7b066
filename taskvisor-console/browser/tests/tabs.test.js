// Many pages of one console share one stream: a browser allows six connections to a host.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { browser, isClean, known, live, LONG, open, row, says, until, useBrowser } from "./live.js";

useBrowser();

/** Opens pages in one profile of the browser. `streams` has the pages that have a stream. */
async function pages(program, count) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const streams = new Set();
  const isStream = (request) => request.url().endsWith("?events");
  context.on("request", (request) => isStream(request) && streams.add(request.frame().page()));
  for (const name of ["requestfinished", "requestfailed"]) {
    context.on(name, (request) => isStream(request) && streams.delete(request.frame().page()));
  }
  const all = [];
  for (let n = 0; n < count; n += 1) {
    const page = await open(program.url, {}, context);
    page.on("close", () => streams.delete(page));
    all.push(page);
  }
  return { all, streams };
}

const pause = async (page, name) => {
  await row(page, name).click();
  await page.locator("#drawer").getByRole("button", { name: "Pause" }).click();
};

const hide = (page, hidden) => page.evaluate((is) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => is });
  document.dispatchEvent(new Event("visibilitychange"));
}, hidden);

test("seven tabs are live by one stream, and another page has it when the first is closed", async () => {
  const program = await live(["shop"]);
  const { all, streams } = await pages(program, 7);
  for (const page of all) await says(page, "live");
  assert.equal(streams.size, 1);

  await pause(all[6], "http");
  await until(async () => (await Promise.all(all.map(isPaused("web/http")))).every(Boolean), "all seven see it");

  const [leader] = streams;
  await leader.close();
  const rest = all.filter((page) => page !== leader);
  await until(() => streams.size === 1 && !streams.has(leader), "another has the stream");
  await pause(rest[0], "admin");
  await until(async () => (await Promise.all(rest.map(isPaused("web/admin")))).every(Boolean), "the others see it");
  for (const page of rest) await isClean(page);
});

const isPaused = (path) => async (page) => (await known(page)).nodes.find((node) => node.path === path)?.paused === true;

test("a hidden tab closes its stream, and reads anew when it is seen again", async () => {
  const program = await live(["shop"]);
  const { all: [page], streams } = await pages(program, 1);
  await says(page, "live");
  await hide(page, true);
  await until(() => streams.size === 0, "the stream is closed");
  await fetch(`${program.url}?pause=web/http`, { method: "POST", headers: { origin: new URL(program.url).origin } });
  await hide(page, false);
  await says(page, "live");
  await until(() => isPaused("web/http")(page), "what happened in between");
  assert.equal(streams.size, 1);
  await isClean(page);
});

test("a visible tab has the stream when the one before is hidden", async () => {
  const program = await live(["shop"]);
  const { all: [first, second], streams } = await pages(program, 2);
  await says(second, "live");
  assert.deepEqual([...streams], [first]);
  await hide(first, true);
  await until(() => streams.has(second) && streams.size === 1, "the other has it");
  await isClean(second);
});

test("a page for which no stream is left asks each second, and has a stream as soon as there is one", async () => {
  const program = await live(["shop"]);
  const end = new AbortController();
  const taken = await Promise.all(Array.from({ length: 32 }, () => fetch(`${program.url}?events`, { signal: end.signal })));
  assert.ok(taken.every(({ status }) => status === 200));
  const { all: [page] } = await pages(program, 1);
  await says(page, "polling");
  await fetch(`${program.url}?pause=web/http`, { method: "POST", headers: { origin: new URL(program.url).origin } });
  await until(() => isPaused("web/http")(page), "it is seen without a stream");
  end.abort();
  await says(page, "live");
});

test("without locks, as over plain HTTP from another host, each page has a stream of its own", async () => {
  const program = await live(["shop"]);
  const context = await browser.newContext();
  await context.addInitScript(() => Object.defineProperty(navigator, "locks", { value: undefined }));
  for (let n = 0; n < 2; n += 1) await says(await open(program.url, {}, context), "live");
  await context.close();
});

test("a second page has the tree in the end, however slow its line is", async () => {
  const program = await live(["shop"]);
  const { all: [first] } = await pages(program, 1);
  await says(first, "live");
  const second = await first.context().newPage();
  await second.route(/\?tree$/, async (route) => {
    await sleep(6000);
    await route.continue();
  });
  await second.goto(program.url);
  await row(second, "http").waitFor({ timeout: LONG });
});

test("a page that was hidden shows the events of that time, and what may be missing", async () => {
  const program = await live(["shop"]);
  const { all: [first, second], streams } = await pages(program, 2);
  for (const page of [first, second]) await says(page, "live");
  const lines = async (page) => {
    await page.getByLabel("Filter the log by kind").fill("ConsoleAction");
    return page.locator("#log .row").allTextContents();
  };
  const act = (query) => fetch(`${program.url}?${query}`, { method: "POST", headers: { origin: new URL(program.url).origin } });
  await act("pause=web/http");
  await until(async () => (await lines(first)).length === 1 && (await lines(second)).length === 1, "both list it");

  // The process keeps the events while there is a stream.
  const end = new AbortController();
  await fetch(`${program.url}?events`, { signal: end.signal });
  await hide(first, true);
  await until(() => streams.has(second) && streams.size === 1, "the other has the stream");
  await act("resume=web/http");
  await until(async () => (await lines(second)).length === 2, "the other lists it");
  await hide(first, false);
  await until(async () => (await lines(first)).length === 2, "what happened in between, once");
  const texts = await lines(first);
  assert.ok(texts[0].includes("pause: paused") && texts[1].includes("resume: resumed"), texts.join());
  await first.getByLabel("Filter the log by kind").fill("");
  await first.getByLabel("Filter the log by text").fill("missing here");
  await first.locator("#log .empty").waitFor();

  // Now there is none.
  end.abort();
  await hide(second, true);
  await hide(first, true);
  await until(() => streams.size === 0, "no page has a stream");
  await until(async () => (await (await fetch(`${program.url}?log`)).json()).log.every(({ kind }) => kind === "ConsoleAction"), "they are forgotten");
  await hide(first, false);
  await first.locator("#log .row", { hasText: "some events are missing here" }).waitFor();
  await isClean(first);
});
