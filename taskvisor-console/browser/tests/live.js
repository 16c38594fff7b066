// The program and the browser, as the tests use them. Each test file has one browser; each test has its own program.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

/** Longer than anything takes. It is only waited for by a test that fails. */
export const LONG = 60_000;
export const SHOTS = new URL("../shots/", import.meta.url).pathname;

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

export let browser;
const programs = new Set();

/** Starts the browser before the tests of a file, and ends it and all programs after them. */
export function useBrowser() {
  before(async () => {
    mkdirSync(SHOTS, { recursive: true });
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
  });
  after(async () => {
    await browser.close();
    for (const program of programs) program.kill("SIGKILL");
  });
}

let next = 11_000 + (process.pid % 9_000);

/**
 * A free address, below the ports that the system gives to connections: none takes it while a program starts again. And
 * above 10,080, the last of those that `fetch` and browsers refuse.
 */
async function steady() {
  for (;;) {
    const port = next++;
    const server = createServer();
    const isFree = await new Promise((is) => {
      server.once("error", () => is(false));
      server.listen(port, "127.0.0.1", () => server.close(() => is(true)));
    });
    if (isFree) return `127.0.0.1:${port}`;
  }
}

/** Starts the program `live` with a scene, and returns `{url, address, child, exit}` once it serves. */
export async function live(scene, { listen = null, ...env } = {}) {
  listen ??= await steady();
  const child = spawn(process.env.LIVE, scene, { env: { ...process.env, LISTEN: listen, ...env }, stdio: ["ignore", "pipe", "ignore"] });
  programs.add(child);
  const exit = once(child, "exit").then(([code]) => {
    programs.delete(child);
    return code;
  });
  const [url] = await once(createInterface({ input: child.stdout }), "line");
  let refusal = "";
  const serves = fetch.bind(null, `${url}?tree`);
  await until(
    () => serves({ signal: AbortSignal.timeout(LONG) }).then((answer) => answer.ok, (error) => !(refusal = error.cause ?? error)),
    () => `it serves at ${url}: ${refusal}`,
  );
  return { url, address: new URL(url).host, child, exit };
}

/** The whole tree, as the program has it. */
export const tree = async ({ url }) => (await fetch(`${url}?tree`)).json();

/** Waits until something holds. `what` is a text, or a function that returns it. */
export async function until(holds, what) {
  const end = Date.now() + LONG;
  for (;;) {
    const held = await holds();
    if (held) return held;
    assert.ok(Date.now() < end, `in vain: ${typeof what === "function" ? what() : what}`);
    await sleep(20);
  }
}

/** Opens a page, and notes what it does wrong: errors, reports of the policy for contents, dialogs. With `clock`, its time can be moved. */
export async function open(url, { clock = false, ...options } = {}, context = null) {
  const its = context ?? (await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options }));
  const page = await its.newPage();
  if (clock) await page.clock.install();
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(error.stack));
  page.on("console", (message) => message.type() === "error" && page.faults.push(message.text()));
  page.on("dialog", (dialog) => page.faults.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
  await page.addInitScript(() => {
    globalThis.reports = [];
    addEventListener("securitypolicyviolation", (event) => globalThis.reports.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(url);
  await page.locator("#tree .row[aria-level]").first().waitFor({ timeout: LONG });
  return page;
}

/** Nothing went wrong on the page. A refused connection is an error to the browser, and expected when a process ends. */
export async function isClean(page, { ended = false } = {}) {
  assert.deepEqual(page.faults.filter((fault) => !(ended && /net::ERR_/.test(fault))), []);
  assert.deepEqual(await page.evaluate(() => globalThis.reports), []);
}

/** The row of a path in the tree. */
export const row = (page, name) => page.locator("#tree .row", { has: page.locator(".c-name > span", { hasText: new RegExp(`^${name}$`) }) });

/** What the page knows: its own module, which is loaded once. */
export const known = (page) =>
  page.evaluate(async () => {
    const { model } = await import(new URL("?model.js", location.href));
    return { boot: model.boot, seq: model.seq, nodes: [...model.nodes.values()], counts: model.counts };
  });

export const says = (page, text) => page.locator("#link", { hasText: text }).waitFor({ timeout: LONG });
