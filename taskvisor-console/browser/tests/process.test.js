// The end and the restart of the process, and a page that cannot keep up.

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, isClean, known, live, LONG, open, row, says, tree, until, useBrowser } from "./live.js";

useBrowser();

test("a graceful shutdown with an open page takes less than a second, and the page says that the process ended", async () => {
  const program = await live(["shop"]);
  const page = await open(program.url);
  await says(page, "live");
  const began = performance.now();
  program.child.kill("SIGTERM");
  assert.equal(await program.exit, 0);
  const took = performance.now() - began;
  assert.ok(took < 1000, `${took} ms`);
  await says(page, "process ended");
  await isClean(page, { ended: true });
});

test("the page says that the process was restarted, and goes on with the new one", async () => {
  const first = await live(["shop"]);
  const page = await open(first.url);
  await says(page, "live");
  const { boot } = await known(page);
  first.child.kill("SIGTERM");
  await first.exit;
  await says(page, "process ended");
  const second = await live(["states"], { listen: first.address });
  await says(page, "restarted");
  await row(page, "not-ready").waitFor();
  assert.notEqual((await known(page)).boot, boot);
  assert.equal(await row(page, "payments").count(), 0);
  await page.getByLabel("Filter the log by text").fill("another process");
  await page.locator("#log .row", { hasText: "another process" }).waitFor();

  second.child.kill("SIGKILL");
  await second.exit;
  await says(page, "no connection");
  await live(["shop"], { listen: first.address });
  await says(page, "restarted");
  await row(page, "payments").waitFor();
  await isClean(page, { ended: true });
});

test("a task that is removed while it is looked at is gone", async () => {
  const program = await live(["states"]);
  const page = await open(program.url);
  await page.getByRole("tab", { name: "Slots" }).click();
  await page.locator("#slots .row", { hasText: "deploy-41" }).click();
  await page.locator("#drawer .link", { hasText: "deploy-41" }).click();
  await page.locator(".actions button", { hasText: "Cancel" }).click();
  await page.locator("#ask-yes").click();
  await page.locator("#drawer .state", { hasText: "It is gone." }).waitFor();
  assert.equal(await page.locator(".why").textContent(), "");
  assert.equal(await page.locator(".actions button").count(), 0);
  await isClean(page);
});

test("a shutdown by the page asks first, and gives the answer", async () => {
  const program = await live(["shop"]);
  const page = await open(program.url);
  await page.getByRole("button", { name: "Shut down" }).click();
  await page.getByRole("button", { name: "Keep" }).click();
  assert.equal((await tree(program)).phase, "running");
  await page.locator("#shutdown").click();
  await page.locator("#ask-yes").click();
  assert.equal(await program.exit, 0);
  await says(page, "process ended");
  await isClean(page, { ended: true });
});

test("a storm of lag ends equal to the tree", async () => {
  const program = await live(["storm", "2000"]);
  const page = await open(program.url);
  await says(page, "live");
  // Nothing is read for longer than the server keeps for a client.
  for (let round = 0; round < 3; round += 1) {
    await page.evaluate(() => {
      const end = performance.now() + 2500;
      while (performance.now() < end);
    });
    await row(page, "storm").waitFor();
  }
  // It ends: every task does, each with its events.
  for (const group of ["shard-0", "shard-1"]) {
    const answer = await fetch(`${program.url}?cancel=${group}`, { method: "POST", headers: { origin: new URL(program.url).origin } });
    assert.equal(answer.status, 200);
  }
  const plain = (nodes) => JSON.stringify(nodes.map((node) => Object.entries(node).sort()).sort());
  await until(async () => {
    const [page_, program_] = [await known(page), await tree(program)];
    return page_.boot === program_.boot && plain(page_.nodes) === plain(program_.nodes);
  }, "both are equal");
  await isClean(page);
});

test("a page says that there is no connection when the process hangs, and goes on when it is back", async () => {
  const program = await live(["shop"]);
  const page = await open(program.url, { clock: true });
  await says(page, "live");
  program.child.kill("SIGSTOP");
  // Longer than any stream is silent.
  await page.clock.fastForward(41_000);
  await says(page, "no connection");
  program.child.kill("SIGCONT");
  await says(page, "live");
  await isClean(page);
});

test("nothing is said of the tasks before they are known", async () => {
  const program = await live(["shop"]);
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const held = [];
  await page.route(/\?events$/, (route) => held.push(route));
  await page.goto(program.url);
  await says(page, "connecting");
  await until(() => held.length === 1, "the page asks for the tree");
  for (const text of ["All is well.", "Nothing matches."]) assert.equal(await page.getByText(text).isVisible(), false, text);
  await held[0].continue();
  await says(page, "live");
  await page.fill("#filter", "no such task");
  await page.getByText("Nothing matches.").waitFor({ timeout: LONG });
  await context.close();
});

test("a refused shutdown stays on the page", async () => {
  const program = await live(["shop"]);
  const page = await open(program.url);
  await says(page, "live");
  await page.route(/\?shutdown$/, (route) => route.fulfill({ status: 409, json: { error: "not in the hours of business, ask the one who is on duty today" } }));
  await page.locator("#shutdown").click();
  await page.locator("#ask-yes").click();
  await says(page, "shutdown: not in the hours of business, ask the one who is on duty today (409)");
  const { seq } = await known(page);
  await until(async () => (await known(page)).seq > seq + 2, "later changes");
  assert.match(await page.locator("#link").textContent(), /not in the hours of business/);
  for (const width of [1000, 390]) {
    await page.setViewportSize({ width, height: 800 });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${width}`);
  }
});
