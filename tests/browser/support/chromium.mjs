// Real Chromium, watched: an error in the console or a breach of the content security policy fails the test.
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { request } from "node:http";
import { join } from "node:path";
import { root } from "./demonstration.mjs";

const require = createRequire(join(root, "web/package.json"));
const { chromium } = require("playwright-core");
const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");

const ARGUMENTS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
/** Ten times what a busy machine needs. */
export const PATIENCE = 20_000;
export const WIDTHS = { phone: { width: 320, height: 640 }, computer: { width: 1280, height: 800 } };

export async function browser(options = {}) {
  return chromium.launch({ executablePath: process.env.LETTERBOX_CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS, ...options });
}

/** A browser on a profile that stays on disk, as on a machine that is switched off and on. */
export async function persistent(profile, { args = [], ...options } = {}) {
  const executablePath = process.env.LETTERBOX_CHROMIUM ?? "/usr/bin/chromium";
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: [...ARGUMENTS, ...args], ...options });
  context.setDefaultTimeout(PATIENCE);
  return context;
}

/** A browser profile of its own, as if on a machine of its own. */
export async function visitor(launched, options = {}) {
  const context = await launched.newContext({ viewport: WIDTHS.computer, locale: "en-GB", ...options });
  context.setDefaultTimeout(PATIENCE);
  const complaints = [];
  context.on("console", (message) => {
    // A server that is killed on purpose, or a page that is gone on purpose, is no fault of the page's.
    if (message.type() === "error" && !/Failed to load resource|WebSocket connection|net::ERR/.test(message.text())) complaints.push(message.text());
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
  return { context, complaints, page: await context.newPage() };
}

/** Answers the question asked at every sign-in; unanswered, it stands at "public". */
export async function chooseComputer(page, computer) {
  await page.getByRole("radio", { name: computer === "public" ? "A public or shared computer" : "My own phone, tablet or computer" }).check();
}

/** Signs in on a persona's own host, by the page that the demonstration offers. */
export async function signIn(page, host, computer = "private") {
  await page.goto(`${host}/`);
  await chooseComputer(page, computer);
  await page.getByRole("button", { name: /^Continue as/ }).click();
  await page.waitForURL((url) => url.pathname !== "/demo/sign-in");
}

/** Signs out by the person icon, as everybody can. */
export async function signOut(page) {
  await page.locator(".lb-person__button").click();
  await page.locator(".lb-person__panel").getByRole("button", { name: "Sign out", exact: true }).click();
  await page.waitForURL("**/signed-out*");
}

/** No finding of axe-core, nothing wider than the window. */
export async function judge(page, name) {
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(wider <= 0, `${name} is ${wider} px wider than the window`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const found = violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  assert.deepEqual(found, [], `axe-core on ${name}`);
}

/** For the eye: `build/screens/NAME-WIDTH.png`. */
export async function screenshot(page, name) {
  const folder = join(root, "build/screens");
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}-${page.viewportSize().width}.png`), fullPage: true });
}

/**
 * One request with this profile's cookie, past the browser's own rules: what a scanner, a prefetcher or a forger sends.
 * Answers status, headers and body; follows nothing.
 */
export async function ask(context, address, { method = "GET", form, headers = {} } = {}) {
  const url = new URL(address);
  const cookies = (await context.cookies()).filter((cookie) => cookie.domain === url.hostname);
  const body = form && new URLSearchParams(form).toString();
  const sent = {
    Host: url.host,
    Cookie: cookies.map((cookie) => `${cookie.name}=${cookie.value}`).join("; "),
    ...(body !== undefined && { "Content-Type": "application/x-www-form-urlencoded", "Content-Length": Buffer.byteLength(body) }),
    ...headers,
  };
  return new Promise((resolve, reject) => {
    // Only browsers know that every name below localhost is this machine.
    const going = request({ host: "127.0.0.1", port: url.port, path: url.pathname + url.search, method, headers: sent }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
    });
    going.once("error", reject);
    going.end(body);
  });
}
