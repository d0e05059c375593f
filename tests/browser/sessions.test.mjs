// Sessions: public computers, what Back and restored tabs show, tabs that follow, devices, confirming, the quick exit.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ask, browser, chooseComputer, judge, PATIENCE, persistent, screenshot, signIn, signOut, visitor, WIDTHS } from "./support/chromium.mjs";
import { demonstration } from "./support/demonstration.mjs";

const TITLE = "Your eye clinic appointment";
/** Short enough to wait for, long enough for a busy machine to sign in meanwhile. */
const IDLE = { LETTERBOX__SESSIONS__IDLE_PUBLIC: "40s", LETTERBOX__SESSIONS__WARNING: "20s" };

let demo;
let launched;
before(async () => {
  demo = await demonstration(IDLE);
  // Playwright turns the cache off that this is about.
  launched = await browser({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  const { page, context } = await visitor(launched);
  await page.goto(demo.stage);
  await page.getByRole("button", { name: /^1\./ }).click();
  await page.locator(".lb-tally", { hasText: "2 sent" }).waitFor();
  await context.close();
});
after(async () => {
  await launched?.close();
  await demo?.end();
});

/** A page has text only while its document lives; a page that is moving on is asked again. */
async function words(page) {
  for (;;) {
    try {
      return await page.locator("body").innerText();
    } catch (error) {
      if (!/context was destroyed|navigat/i.test(String(error))) throw error;
    }
  }
}

async function look(page, name) {
  for (const viewport of Object.values(WIDTHS)) {
    await page.setViewportSize(viewport);
    await judge(page, name);
    await screenshot(page, name);
  }
}

async function atLetters(page, persona) {
  await page.goto(`${demo.host(persona)}/my-health/documents`);
  await page.locator(".lb-row", { hasText: TITLE }).waitFor();
}

/** The same browser on the same profile, with the tabs that it had. */
function restarted(profile) {
  return persistent(profile, { args: ["--restore-last-session"], viewport: WIDTHS.computer, locale: "en-GB", timeout: 60_000 });
}

async function signedOutBy(page) {
  await page.waitForURL("**/signed-out*", { timeout: PATIENCE });
  await page.getByRole("heading", { name: "You have been signed out" }).waitFor();
}

test("R23.2 R23.3 a public computer: pictures instead of a file, closing words, and Back shows nothing (case 88)", async () => {
  const { page, context, complaints } = await visitor(launched);
  const answers = [];
  const downloads = [];
  context.on("response", (answer) => answers.push(answer.headers()["content-type"] ?? ""));
  page.on("download", (download) => downloads.push(download.suggestedFilename()));
  await page.goto(`${demo.host("gwyn")}/`);
  assert.ok(await page.getByRole("radio", { name: "A public or shared computer" }).isChecked(), "public stands pre-selected");
  await look(page, "which-computer");
  await page.getByRole("button", { name: /^Continue as/ }).click();
  await atLetters(page, "gwyn");
  const saved = await context.cookies();
  assert.equal(await page.getByRole("link", { name: /^Download/ }).count(), 0);
  await page.getByRole("button", { name: /^View/ }).first().click();
  const picture = page.getByRole("img", { name: /^Page 1 as a picture/ });
  await picture.waitFor();
  assert.ok(await picture.evaluate((image) => image.complete && image.naturalWidth > 1_000), "the picture is there, and large");
  await page.getByText("The words of page 1").click();
  await page.locator(".nhsuk-details__text", { hasText: "Dear Gwyn Parry" }).waitFor();
  await look(page, "letter-as-pictures");
  const letter = page.url();
  assert.ok(!answers.some((type) => type.includes("pdf")), "no file was sent");
  // Whoever asks for the file by hand gets pictures or the letter's page.
  for (const end of ["file", "download", "view"]) {
    const answer = await ask(context, letter.replace(/view$/, end));
    assert.doesNotMatch(answer.headers["content-type"] ?? "", /pdf/, end);
    assert.ok(!answer.body.includes("%PDF"), end);
  }
  assert.deepEqual(downloads, []);
  await page.goto(letter.replace(/\/view$/, ""));
  await page.getByText(/Opened by you/).first().waitFor();
  assert.equal(await page.getByRole("link", { name: /^Download/ }).count(), 0);
  await page.getByRole("button", { name: "Sign out when you finish" }).click();
  await page.getByRole("heading", { name: "Close all browser windows now" }).waitFor();
  await look(page, "signed-out-public");
  for (let step = 0; step < 3; step += 1) {
    await page.goBack({ waitUntil: "commit" }).catch(() => undefined);
    await page.waitForLoadState();
    assert.doesNotMatch(await words(page), /eye clinic|Opened by you|Exit quickly/, page.url());
  }
  for (let step = 0; step < 3; step += 1) {
    await page.goForward({ waitUntil: "commit" }).catch(() => undefined);
    await page.waitForLoadState();
    assert.doesNotMatch(await words(page), /eye clinic|Opened by you/, page.url());
  }
  // A browser that brings back yesterday's tabs brings back their cookies too.
  await context.addCookies(saved);
  const restored = await context.newPage();
  for (const place of ["/", "/my-health/documents", new URL(letter).pathname.replace(/\/view$/, "/file")]) {
    await restored.goto(demo.host("gwyn") + place);
    assert.doesNotMatch(await words(restored), /eye clinic|Opened by you/, place);
  }
  assert.deepEqual(complaints, []);
  await context.close();
});

/** Signs in at a public computer, leaves one's account for a page that is everybody's, loses the session, and goes Back. */
async function leftAndBack(context, page) {
  await signIn(page, demo.host("gwyn"), "public");
  await page.goto(`${demo.host("gwyn")}/account`);
  await page.getByText("Gwyn Parry").first().waitFor();
  await page.evaluate(() => { globalThis.kept = true; });
  await page.goto(`${demo.host("gwyn")}/login`);
  await context.clearCookies();
  await page.goBack({ waitUntil: "commit" });
  return { kept: () => page.evaluate(() => globalThis.kept === true) };
}

/** What the server answers; only browsers know that every name below localhost is this machine. */
function fetched(route) {
  const url = new URL(route.request().url());
  const headers = { ...route.request().headers(), host: url.host };
  url.hostname = "127.0.0.1";
  return route.fetch({ url: url.href, headers, maxRedirects: 0 });
}

/** Takes `no-store` from pages, so that the browser keeps them in its memory; with `script`, our script as well. */
async function rememberPages(context, { script }) {
  await context.route(/localhost:\d+\/(account|login|assets\/app-.*\.js)$/, async (route) => {
    if (/\.js$/.test(route.request().url())) return script ? route.continue() : route.fulfill({ contentType: "text/javascript", body: "" });
    const answer = await fetched(route);
    return route.fulfill({ response: answer, headers: { ...answer.headers(), "cache-control": "private, max-age=0" } });
  });
}

test("R23.2 a page that the browser kept in its memory is hidden and asked for anew (case 88)", async () => {
  const { page, context } = await visitor(launched);
  await rememberPages(context, { script: true });
  const { kept } = await leftAndBack(context, page);
  await page.waitForURL((url) => url.pathname !== "/account");
  await page.waitForLoadState();
  assert.equal(await kept(), false, "the page in memory is gone");
  assert.doesNotMatch(await words(page), /Exit quickly|Account overview/);
  await context.close();
});

test("case 88 without our script the browser does bring such a page back: the test above can fail", async () => {
  const { page, context } = await visitor(launched);
  await rememberPages(context, { script: false });
  await leftAndBack(context, page);
  // No page is loaded: what is there was in memory all the time.
  await page.waitForFunction(() => globalThis.kept === true);
  assert.match(await words(page), /Exit quickly/);
  await context.close();
});

test("R23.2 a browser that is started again with its last tabs shows nothing of a session that was signed out (case 88)", async () => {
  const profile = await mkdtemp(join(tmpdir(), "letterbox-profile-"));
  try {
    const first = await restarted(profile);
    const page = first.pages()[0];
    await signIn(page, demo.host("gwyn"), "public");
    await atLetters(page, "gwyn");
    const duplicate = await first.newPage();
    await atLetters(duplicate, "gwyn");
    const storage = await duplicate.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]));
    assert.equal(storage, "[{},{}]", "a public computer keeps nothing of a page");
    const saved = await first.cookies();
    await signOut(page);
    await signedOutBy(duplicate);
    await first.close();
    const second = await restarted(profile);
    const restored = () => second.pages().filter((tab) => tab.url().startsWith(demo.host("gwyn")));
    for (const end = Date.now() + PATIENCE; restored().length < 2 && Date.now() < end; ) await second.waitForEvent("page", { timeout: 1_000 }).catch(() => undefined);
    assert.ok(restored().length >= 2, `the tabs came back: ${second.pages().map((tab) => tab.url())}`);
    for (const tab of second.pages()) {
      await tab.waitForLoadState();
      assert.doesNotMatch(await words(tab), /eye clinic|Exit quickly/, tab.url());
      await tab.goBack({ waitUntil: "commit" }).catch(() => undefined);
      await tab.waitForLoadState();
      assert.doesNotMatch(await words(tab), /eye clinic|Exit quickly/, tab.url());
    }
    // A browser that was closed in a hurry may bring its cookie back; it is worth nothing.
    const { value } = saved.find((cookie) => cookie.name === "__Host-letterbox");
    const left = await ask(second, `${demo.host("gwyn")}/account/sessions/left.json`, { headers: { Cookie: `__Host-letterbox=${value}` } });
    assert.equal(left.status, 401);
    await second.close();
  } finally {
    await rm(profile, { recursive: true, force: true });
  }
});

test("R23.4 S22 a sign-out in one tab takes the others off the screen, sockets and all", async () => {
  const { page, context } = await visitor(launched);
  await signIn(page, demo.host("margaret"));
  await atLetters(page, "margaret");
  const other = await context.newPage();
  await other.goto(`${demo.host("margaret")}/account/sessions`);
  // A page without a socket hears of it from its neighbours.
  const deaf = await context.newPage();
  await deaf.goto(`${demo.host("margaret")}/account`);
  assert.equal(await deaf.locator("[data-live]").count(), 0);
  await page.locator("[data-status]", { hasText: "Connected" }).waitFor();
  await signOut(other);
  const pressed = Date.now();
  for (const tab of [page, deaf]) {
    await signedOutBy(tab);
    assert.ok(Date.now() - pressed < 5_000, `it took ${Date.now() - pressed} ms`);
    assert.doesNotMatch(await words(tab), /Margaret|eye clinic/);
  }
  await context.close();
});

test("S21 signed-in devices: listed in coarse words, and one that is ended from another goes dark at once", async () => {
  const phone = await visitor(launched, { viewport: WIDTHS.phone, userAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1" });
  await signIn(phone.page, demo.host("margaret"));
  await atLetters(phone.page, "margaret");
  await phone.page.locator("[data-status]", { hasText: "Connected" }).waitFor();
  const { page, context } = await visitor(launched);
  await signIn(page, demo.host("margaret"));
  await page.locator(".lb-person__button").click();
  await page.getByRole("link", { name: "Signed-in devices" }).click();
  await look(page, "devices");
  const row = page.locator(".lb-row", { hasText: "Safari on iPhone" });
  await row.getByRole("button", { name: /^Sign out/ }).click();
  const pressed = Date.now();
  await page.getByText("1 device has been signed out.").waitFor();
  await signedOutBy(phone.page);
  assert.ok(Date.now() - pressed < 5_000, `it took ${Date.now() - pressed} ms`);
  await page.reload();
  assert.equal(await row.count(), 0);
  await context.close();
  await phone.context.close();
});

test("R23.1 S19 an unused public computer warns, stays when asked to, and goes dark by itself", async () => {
  const { page, context, complaints } = await visitor(launched);
  await page.goto(`${demo.host("margaret")}/`);
  await chooseComputer(page, "public");
  await page.getByRole("button", { name: /^Continue as/ }).click();
  await atLetters(page, "margaret");
  const dialog = page.getByRole("dialog", { name: "You will be signed out soon" });
  await dialog.waitFor({ timeout: 40_000 });
  await judge(page, "staying");
  await screenshot(page, "staying");
  // By keyboard alone: what the dialog offers is at hand, Tab does not leave it, Enter stays.
  const held = () => page.evaluate(() => document.activeElement?.closest("dialog[data-session]")?.open === true);
  assert.ok(await held(), "the focus is in the dialog");
  const stay = dialog.getByRole("button", { name: "Stay signed in" });
  const atStay = () => stay.evaluate((button) => button === document.activeElement);
  for (let step = 0; step < 6 && !(await atStay()); step += 1) await page.keyboard.press("Tab");
  assert.ok(await atStay(), "Tab leads to the button");
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "hidden" });
  const stayed = Date.now();
  await dialog.waitFor({ timeout: 40_000 });
  assert.ok(Date.now() - stayed > 10_000, "staying has started the time again");
  // The socket goes on all the while: its traffic is no use of the site.
  await page.waitForURL("**/signed-out*", { timeout: 60_000 });
  await page.getByRole("heading", { name: "Close all browser windows now" }).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test("the quick exit: Escape three times, and neither page nor session nor Back is left", async () => {
  const { page, context } = await visitor(launched);
  await context.route("https://www.bbc.co.uk/**", (route) => route.fulfill({ contentType: "text/html", body: "<title>Weather</title><p>Sunny" }));
  await signIn(page, demo.host("margaret"));
  const other = await context.newPage();
  await other.goto(`${demo.host("margaret")}/account/sessions`);
  await atLetters(page, "margaret");
  const saved = (await context.cookies()).find((cookie) => cookie.name === "__Host-letterbox");
  for (let press = 0; press < 3; press += 1) await page.keyboard.press("Escape");
  await page.waitForURL("https://www.bbc.co.uk/weather");
  await other.waitForURL("https://www.bbc.co.uk/weather");
  await page.goBack({ waitUntil: "commit" }).catch(() => undefined);
  await page.waitForLoadState();
  assert.doesNotMatch(await words(page), /Margaret Jones|eye clinic/);
  const answer = await ask(context, `${demo.host("margaret")}/my-health/documents`, { headers: { Cookie: `${saved.name}=${saved.value}` } });
  assert.equal(answer.status, 303, "the session has ended");
  await context.close();
});

test("the quick exit without JavaScript is a plain form", async () => {
  const { page, context } = await visitor(launched, { javaScriptEnabled: false });
  await context.route("https://www.bbc.co.uk/**", (route) => route.fulfill({ contentType: "text/html", body: "<title>Weather</title><p>Sunny" }));
  await signIn(page, demo.host("margaret"));
  await page.getByRole("button", { name: /^Exit quickly/ }).click();
  await page.waitForURL("https://www.bbc.co.uk/weather");
  await page.goto(`${demo.host("margaret")}/my-health/documents`);
  assert.doesNotMatch(await words(page), /Appointment correspondence/);
  await context.close();
});

test("case 87 a cookie planted before sign-in is worth nothing after it, nor is one's own after sign-out", async () => {
  const attacker = await visitor(launched);
  await signIn(attacker.page, demo.host("gwyn"));
  const [planted] = await attacker.context.cookies();
  const { page, context } = await visitor(launched);
  await context.addCookies([{ ...planted, domain: new URL(demo.host("margaret")).hostname }]);
  await page.goto(`${demo.host("margaret")}/demo/sign-in`);
  // Already signed in, as the attacker wanted: signing out and in makes a session of one's own.
  if (new URL(page.url()).pathname !== "/demo/sign-in") await signOut(page);
  await signIn(page, demo.host("margaret"));
  const [own] = await context.cookies();
  assert.notEqual(own.value, planted.value);
  const home = demo.host("margaret");
  const as = async (value) => ask(context, `${home}/account/sessions/left.json`, { headers: { Cookie: `__Host-letterbox=${value}` } });
  assert.equal((await as(planted.value)).status, 401, "the planted session ended with the sign-in");
  assert.equal((await as(own.value)).status, 200);
  await signOut(page);
  assert.equal((await as(own.value)).status, 401);
  await context.close();
  await attacker.context.close();
});
