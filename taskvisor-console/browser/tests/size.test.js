// Ten thousand tasks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, isClean, live, LONG, open, row, says, useBrowser } from "./live.js";

useBrowser();

test("10,000 tasks are usable in a second", async (t) => {
  const program = await live(["many", "10000"]);
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  // The time that the page computes, which does not depend on what else the machine does.
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const computed = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration").value * 1000;
  };
  const before = await computed();
  const began = performance.now();
  await page.goto(program.url);
  await page.locator("#tree .row[aria-level]").first().waitFor({ timeout: LONG });
  await page.locator("#tree .treegrid").focus();
  await page.keyboard.press("ArrowDown");
  await page.locator("#tree .row.active", { hasText: "shard-0" }).waitFor({ timeout: LONG });
  const [wall, cpu] = [performance.now() - began, (await computed()) - before];
  t.diagnostic(`usable after ${Math.round(wall)} ms, of which the page computed ${Math.round(cpu)} ms`);
  assert.ok(cpu < 1000, `${cpu} ms`);
  assert.ok((await page.locator("#tree .row").count()) < 100, "only what is visible is in the document");
  await context.close();
});

test("large groups show what needs attention, and all on request", async () => {
  const program = await live(["many", "10000"]);
  const page = await open(program.url);
  await says(page, "live");
  const states = await page.locator("#tree .row[aria-level='3'][data-is=task]").evaluateAll((rows) => rows.map((row) => row.dataset.state));
  assert.ok(states.length > 0);
  await page.fill("#filter", "tenant-07777");
  await row(page, "tenant-07777").click();
  await page.locator("#drawer h2", { hasText: "shard-1/tenant-07777" }).waitFor();
  await page.fill("#filter", "");
  await page.locator("#tree .treegrid").focus();
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowUp");
  await page.locator("#tree .row.active[data-is=more]", { hasText: /^4,\d{3} more/ }).waitFor({ timeout: LONG });
  await page.keyboard.press("Enter");
  await page.keyboard.press("End");
  await row(page, "tenant-09999").waitFor({ timeout: LONG });
  assert.ok((await page.locator("#tree .row").count()) < 100);
  const total = Number(await page.locator("#tree .treegrid").getAttribute("aria-rowcount"));
  assert.ok(total > 5000, `${total} rows`);
  await isClean(page);
});
