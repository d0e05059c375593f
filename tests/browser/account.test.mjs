// The account in real Chromium: what is on record, choices that are kept, who looked, and leaving: unread letters go to the
// post first, and whoever comes back is asked again. The essential forms also with JavaScript off, on a phone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WIDTHS, ask, browser, chooseComputer, judge, PATIENCE, screenshot, signIn, visitor } from "./support/chromium.mjs";
import { demonstration } from "./support/demonstration.mjs";

/** Paper leaves with the next cut-off, and waits for a minute where nothing hurries it. */
const PAPER = { timeout: 90_000 };
let demo;
let portal;
let launched;
let gwyn;
let outside;
before(async () => {
  demo = await demonstration();
  portal = new URL(demo.stage).origin;
  launched = await browser();
  gwyn = await visitor(launched);
  outside = await visitor(launched);
});
after(async () => {
  await launched?.close();
  await demo?.end();
});

let broken = false;
function step(name, run) {
  test(name, async (context) => {
    if (broken) return context.skip("an earlier step failed");
    broken = true;
    await run();
    broken = false;
  });
}

const heading = (page, text) => page.getByRole("heading", { level: 1, name: text, exact: true }).waitFor();
const shows = (locator, text, options = { timeout: PATIENCE }) => locator.filter({ hasText: text }).first().waitFor(options);
const tab = (page, name) => page.getByRole("navigation", { name: /account/i }).getByRole("link", { name, exact: true }).click();

async function everywhere(page, name) {
  for (const width of [WIDTHS.phone, WIDTHS.computer]) {
    await page.setViewportSize(width);
    await judge(page, `${name} at ${width.width}`);
    await screenshot(page, `account-${name}`);
  }
}

/** By NHS login, as this stand-in person. */
async function comeAs(page, given) {
  await page.goto(`${portal}/login`);
  await chooseComputer(page, "private");
  await page.getByRole("button", { name: "Continue with NHS Login" }).click();
  await page.getByRole("button", { name: `Continue as ${given}`, exact: true }).click();
  await page.waitForURL((url) => url.origin === portal);
}

async function letters() {
  const { page, context } = await visitor(launched);
  await page.goto(demo.stage);
  await page.getByRole("button", { name: /^1\./ }).click();
  await page.locator(".lb-tally", { hasText: "2 sent" }).waitFor();
  await context.close();
}

step("R28.1 R18.2 the person icon leads to the overview: what is on record, and where we would post to", async () => {
  const { page } = gwyn;
  await comeAs(page, "Gwyn");
  await page.locator(".lb-person__button").click();
  await page.locator(".lb-person__panel").getByRole("link", { name: "Account", exact: true }).click();
  await heading(page, "Account overview");
  const main = page.locator("main");
  for (const words of ["gwyn@example.test", "We would post to", "tell your GP and your hospital too"]) await shows(main, words);
  const text = await main.innerText();
  assert.match(text, /…HR\d+ •••/, "the beginning of the postcode and nothing else of the address");
  assert.doesNotMatch(text, /HR\d+ \d[A-Z]{2}|999 ?000/, "neither the address nor the NHS number");
  assert.equal(await page.getByRole("button", { name: "Get my own letters here" }).count(), 0, "Gwyn has them");
  await everywhere(page, "overview");
  await tab(page, "Post");
  await heading(page, "Post");
  await shows(main, "Wrong? Tell your GP and hospital");
  await everywhere(page, "post");
});

step("choices about contact are kept: one way off, one never, and reminders by what is left", async () => {
  const { page } = gwyn;
  await page.goto(`${portal}/my-health/appointments`);
  await page.getByRole("link", { name: "Reminders before appointments" }).click();
  await heading(page, "Contact and notifications");
  assert.ok(await page.getByLabel("No, do not remind me").isChecked(), "nobody is reminded who has not asked");
  await page.getByLabel("Yes, by text message").check();
  await page.getByRole("button", { name: "Save reminders" }).click();
  await shows(page.locator("main"), "Saved");
  assert.ok(await page.getByLabel("Yes, by text message").isChecked());
  await everywhere(page, "contact");
  // Somebody else might see texts: then no reminder goes that way either, and the page says so.
  await page.getByLabel("Do not text me").check();
  await page.getByLabel("Email", { exact: true }).uncheck();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await shows(page.locator(".lb-warning"), "We cannot text you at the moment");
  assert.ok(await page.getByLabel("Do not text me").isChecked());
  assert.ok(!(await page.getByLabel("Email", { exact: true }).isChecked()));
  await page.getByLabel("Yes, by email").check();
  await page.getByRole("button", { name: "Save reminders" }).click();
  await page.locator(".lb-warning").waitFor({ state: "detached" });
  assert.equal(await page.getByLabel("Yes, by text message").count(), 0, "a way that is unsafe is not offered");
});

step("the format is kept", async () => {
  const { page } = gwyn;
  await tab(page, "Format");
  await heading(page, "Format");
  await page.getByLabel("Braille").check();
  await page.getByRole("button", { name: "Save" }).click();
  await shows(page.locator("main"), "Saved");
  assert.ok(await page.getByLabel("Braille").isChecked());
  await everywhere(page, "format");
});

step("R17.3 who looked: staff by role and hospital, and Gwyn himself", async () => {
  await letters();
  const clerk = await visitor(launched);
  await signIn(clerk.page, demo.host("booking"));
  await clerk.page.goto(`${demo.host("booking")}/board`);
  await shows(clerk.page.locator("[data-list] > li"), "Gwyn Parry");
  await clerk.context.close();
  const { page } = gwyn;
  await page.goto(`${portal}/account/looked`);
  const look = page.locator("main .lb-row", { hasText: "Saw your name on the booking office’s list" });
  await shows(look, /Wye Valley NHS Trust/);
  assert.equal(await look.count(), 1);
  await shows(page.locator("main .lb-row"), "Changed reminders");
  await everywhere(page, "looked");
});

step("R28.1 R28.2 deleting asks for a reason, posts what is unread first, and in the format that was chosen", async () => {
  const { page } = gwyn;
  await tab(page, "Deleting my account");
  await heading(page, "Delete my account");
  await shows(page.locator("main"), "the 1 letter that you have not opened will be posted to you");
  await page.getByRole("button", { name: "Delete account" }).click();
  await shows(page.locator(".nhsuk-error-summary"), "Choose a reason");
  await everywhere(page, "delete");
  await page.getByLabel("I prefer letters by post").check();
  await page.getByRole("button", { name: "Delete account" }).click();
  await heading(page, "Your account is deleted");
  await everywhere(page, "deleted");
  await page.goto(`${portal}/my-health/documents`);
  await heading(page, "Sign in");
  await outside.page.goto(demo.outside);
  const envelope = outside.page.locator(".lb-envelope", { hasText: "Gwyn Parry" });
  await envelope.first().waitFor(PAPER);
  await shows(envelope, /braille/);
  assert.equal(await envelope.count(), 1, "one letter, one envelope");
});

step("R28.4 R30.2 whoever comes back is asked whether to join, and begins with an empty portal", async () => {
  const { page } = gwyn;
  await comeAs(page, "Gwyn");
  await heading(page, "Get your hospital letters here");
  await page.getByRole("button", { name: "I agree: send my letters here" }).click();
  await heading(page, "Hello Gwyn");
  await page.goto(`${portal}/my-health/documents`);
  assert.equal(await page.locator("[data-list] > li").count(), 0, "nothing of the earlier membership");
  await page.goto(`${portal}/account/contact`);
  assert.ok(await page.getByLabel("No, do not remind me").isChecked());
  assert.deepEqual(gwyn.complaints, []);
});

step("without JavaScript, on a phone: choices are kept and the account is deleted", async () => {
  const { page, context } = await visitor(launched, { javaScriptEnabled: false, viewport: WIDTHS.phone });
  const home = demo.host("margaret");
  await signIn(page, home);
  await page.goto(`${home}/account/contact`);
  await page.getByLabel("Text messages", { exact: true }).uncheck();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  assert.ok(!(await page.getByLabel("Text messages", { exact: true }).isChecked()));
  await page.getByLabel("Yes, by email").check();
  await page.getByRole("button", { name: "Save reminders" }).click();
  assert.ok(await page.getByLabel("Yes, by email").isChecked());
  await page.goto(`${home}/account/format`);
  await page.getByLabel("Large print").check();
  await page.getByRole("button", { name: "Save" }).click();
  assert.ok(await page.getByLabel("Large print").isChecked());
  await page.goto(`${home}/account/delete`);
  await page.getByLabel("I do not need it any more").check();
  await page.getByRole("button", { name: "Delete account" }).click();
  await heading(page, "Your account is deleted");
  await page.goto(`${home}/my-health/documents`);
  assert.equal(new URL(page.url()).pathname, "/demo/sign-in");
  await context.close();
});

step("a carer may ask for letters of their own", async () => {
  const { page, context, complaints } = await visitor(launched);
  await comeAs(page, "Brian");
  await page.getByRole("button", { name: "Make an account to help somebody" }).click();
  await page.waitForURL((url) => url.pathname === "/people");
  await page.getByRole("link", { name: "Get your own hospital letters here too" }).click();
  await everywhere(page, "carer");
  const tabs = await page.getByRole("navigation", { name: "Account" }).getByRole("link").evaluateAll((links) => links.map((link) => link.href));
  assert.equal(tabs.length, 4, "nothing of a mailbox that is not there");
  for (const url of tabs) assert.equal((await ask(context, url)).status, 200, url);
  await page.getByRole("button", { name: "Get my own letters here" }).click();
  await page.getByRole("button", { name: "Continue as Brian", exact: true }).click();
  await page.waitForURL((url) => url.origin === portal);
  // He lives elsewhere, so he is told what he would be told at the door; his account stays.
  await heading(page, "You cannot get your letters here");
  assert.deepEqual(complaints, []);
  await context.close();
});
