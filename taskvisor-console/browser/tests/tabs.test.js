// Many pages of one console share one stream: a browser allows six connections to a host.

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, isClean, known, live, open, row, says, until, useBrowser } from "./live.js";

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
