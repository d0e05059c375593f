// The whole demonstration, as it is shown to a hospital director: every step of the script, in real browsers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, PATIENCE, screenshot, signIn, visitor } from "./support/chromium.mjs";
import { demonstration } from "./support/demonstration.mjs";
import { story } from "./support/steps.mjs";

/** Deadlines of the demonstration are at most 45 s after publication, and its print house cuts off every 15 s. */
const PAPER = { timeout: 150_000 };

let demo;
let launched;
const people = {};

before(async () => {
  demo = await demonstration();
  launched = await browser();
  for (const name of ["stage", "margaret", "susan", "booking", "outside"]) people[name] = await visitor(launched);
});

after(async () => {
  await launched?.close();
  await demo?.end();
});

const page = (name) => people[name].page;
const row = (name, text) => page(name).locator("[data-list] > li", { hasText: text });
const tally = () => page("stage").locator(".lb-tally");

async function shows(locator, text, options = {}) {
  await locator.filter({ hasText: text }).first().waitFor({ timeout: PATIENCE, ...options });
}

const step = story();

async function press(number) {
  await page("stage").getByRole("button", { name: new RegExp(`^${number}\\.`) }).click();
}

step("0:00 the stage makes its promise, and everybody takes a seat", async () => {
  await page("stage").goto(demo.stage);
  await shows(page("stage").locator("h1"), "Nobody’s letter goes unheard");
  await shows(tally(), "0 sent = 0 opened + 0 posted + 0 told by phone + 0 waiting. Lost 0. Posted twice 0.");
  await signIn(page("margaret"), demo.host("margaret"));
  await page("margaret").getByRole("link", { name: "My health", exact: true }).first().click();
  await shows(page("margaret").locator("h2"), "Appointment correspondence");
  await signIn(page("susan"), demo.host("susan"));
  await page("susan").getByRole("link", { name: /^Margaret/ }).click();
  await shows(page("susan").locator(".lb-viewing"), "You are viewing Margaret");
  await signIn(page("booking"), demo.host("booking"));
  await page("outside").goto(demo.outside);
  for (const name of ["margaret", "susan", "booking"]) await shows(page(name).locator("[data-status]"), "Connected");
});

step("0:10 one button publishes a letter each, and every open page has it without a reload", async () => {
  const before = Date.now();
  await press(1);
  await shows(row("margaret", "Your eye clinic appointment"), "New. We will post this at");
  const seen = Date.now() - before;
  await shows(row("margaret", "Your eye clinic appointment"), "unless you open it");
  await shows(row("susan", "Your eye clinic appointment"), "unless Margaret opens it");
  await shows(page("booking").locator(".lb-count", { hasText: "Waiting" }), "2");
  assert.ok(seen < 5_000, `the letter took ${seen} ms from the button to Margaret's page`);
  await screenshot(page("margaret"), "demonstration-margaret-new");
  await screenshot(page("booking"), "demonstration-board-waiting");
});

step("0:25 Margaret reads the whole letter, and the hospital knows", async () => {
  const opened = page("margaret").context().waitForEvent("page");
  const answered = new Promise((resolve) => people.margaret.context.on("response", (answer) => {
    if (answer.url().endsWith("/view")) resolve(answer);
  }));
  await page("margaret").getByRole("button", { name: /^View/ }).click();
  const answer = await answered;
  assert.equal(answer.status(), 200);
  assert.equal(answer.headers()["content-type"], "application/pdf");
  assert.equal(answer.headers()["cache-control"], "no-store");
  await shows(row("margaret", "Your eye clinic appointment"), "Opened by you");
  await shows(row("booking", "Margaret"), "Opened by patient");
  await shows(page("booking").locator(".lb-count", { hasText: "Waiting" }), "1");
  await (await opened).close();
});

step("0:35 she withdraws Susan, and the row leaves Susan's page", async () => {
  await shows(row("susan", "Your eye clinic appointment"), "Opened by Margaret");
  await page("margaret").getByRole("link", { name: "Connect", exact: true }).first().click();
  await shows(page("margaret").locator(".lb-row"), "They may notice straight away");
  await page("margaret").getByRole("button", { name: /^Stop sharing with Susan/ }).click();
  await page("susan").waitForURL((url) => url.pathname === "/people");
  assert.equal(await page("susan").locator("body").filter({ hasText: "eye clinic" }).count(), 0);
  await shows(page("susan").locator("main"), "Nobody shares anything with you");
  await shows(page("margaret").locator(".lb-row"), "Not shared");
  await page("margaret").getByRole("link", { name: "My health", exact: true }).first().click();
});

step("0:45 Gwyn ignores his: an email, a text, a countdown, an envelope", async () => {
  await shows(page("outside").locator(".lb-mail"), "gwyn@example.test", PAPER);
  await shows(page("outside").locator(".lb-bubble"), "you have a new hospital message", PAPER);
  await shows(page("outside").locator(".lb-countdown"), /^1 letter (prints in \d+ s|printing now)/, PAPER);
  await shows(page("outside").locator(".lb-envelope__window"), "Gwyn Parry", PAPER);
  await shows(row("booking", "Gwyn"), "Nothing for you to do.", PAPER);
  for (const words of await page("outside").locator(".lb-bubble__text, .lb-mail__text, .lb-mail__head").allInnerTexts()) {
    assert.doesNotMatch(words, /eye clinic|Ophthalmology|Wye Valley/i, "nothing clinical leaves by text or email");
  }
  assert.equal(await page("outside").locator(".lb-envelope").count(), 1);
  await screenshot(page("outside"), "demonstration-outside-world");
});

step("1:05 a cancelled clinic is told live, and the rest by phone", async () => {
  await press(2);
  await shows(row("booking", "Eye clinic"), /of 12 told/);
  await shows(row("booking", "Eye clinic"), "11 of 12 told", PAPER);
  const call = row("booking", "Phone Gwyn by");
  await call.first().waitFor(PAPER);
  await screenshot(page("booking"), "demonstration-board-phone");
  await call.getByRole("button", { name: /^Spoke/ }).click();
  await shows(row("booking", "Eye clinic"), "12 of 12 told");
});

step("1:35 the server is killed with -9; pages say so, come back, and nothing is lost", async () => {
  const pages = ["margaret", "booking"];
  for (const name of pages) await shows(page(name).locator("[data-status]"), "Connected");
  const reconnecting = Promise.all(pages.map((name) => shows(page(name).locator("[data-status]"), /Reconnecting, last checked \d\d:\d\d/)));
  await press(3);
  await reconnecting;
  const cut = Date.now();
  for (const name of pages) await shows(page(name).locator("[data-status]"), "Connected", { timeout: 60_000 });
  const away = Date.now() - cut;
  await shows(tally(), "16 sent = 12 opened + 1 posted + 1 told by phone + 2 waiting. Lost 0. Posted twice 0.");
  await shows(page("margaret").locator("[data-bar], [data-list]"), /Show 1 new letter|New\. We will post/);
  await screenshot(page("stage"), "demonstration-stage-end");
  assert.ok(away < 50_000, `pages were away for ${away} ms`);
  console.log(`pages were away for ${away} ms after the kill`);
});

step("new letters wait behind a bar until the reader asks for them", async () => {
  const bar = page("margaret").locator("[data-bar]");
  await bar.waitFor({ state: "visible" });
  await screenshot(page("margaret"), "demonstration-margaret-bar");
  await bar.getByRole("button", { name: "Show 1 new letter" }).click();
  await bar.waitFor({ state: "hidden" });
  assert.equal(await page("margaret").locator("[data-list] > li").count(), 2);
});

step("reset puts everything back to the beginning", async () => {
  await page("stage").getByRole("button", { name: /^Reset/ }).click();
  await shows(tally(), "0 sent =", { timeout: 60_000 });
});

test("no page complained about anything on the way", () => {
  for (const [name, one] of Object.entries(people)) assert.deepEqual(one.complaints, [], name);
});
