// The pictures for the README. They need some minutes of history, so they are only made on request:
// `PICTURES=1 ./run.sh tests/pictures.test.js`

import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { live, LONG, open, row, useBrowser } from "./live.js";

const DOCS = new URL("../../../docs/", import.meta.url).pathname;

useBrowser();

test("pictures", { skip: !process.env.PICTURES && "only on request" }, async () => {
  const program = await live(["shop"]);
  const pages = {};
  for (const colorScheme of ["light", "dark"]) pages[colorScheme] = await open(program.url, { colorScheme });
  await row(pages.dark, "index").click();
  await pages.dark.locator(".settings dl").waitFor({ timeout: LONG });
  await sleep(120_000);
  for (const [name, page] of Object.entries(pages)) await page.screenshot({ path: `${DOCS}console-${name}.png` });
});
