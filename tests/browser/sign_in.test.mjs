// Signing in with NHS login, against the stand-in: joining, coming back, every kind refusal, with and without JavaScript.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WIDTHS, ask, browser, chooseComputer, judge, screenshot, visitor } from "./support/chromium.mjs";
import { demonstration } from "./support/demonstration.mjs";

let demo;
let launched;
let portal;
before(async () => {
  demo = await demonstration();
  portal = new URL(demo.stage).origin;
  launched = await browser();
});
after(async () => {
  await launched?.close();
  await demo?.end();
});

const heading = (page, text) => page.getByRole("heading", { level: 1, name: text, exact: true }).waitFor();

/** Both widths, with axe; leaves the page as wide as it was. */
async function judged(page, name) {
  const before = page.viewportSize();
  for (const width of Object.values(WIDTHS)) {
    await page.setViewportSize(width);
    await judge(page, name);
    await screenshot(page, name);
  }
  await page.setViewportSize(before);
}

/** From the sign-in page out to NHS login and back as this person. */
async function comeAs(page, given, { next = "", computer = "private" } = {}) {
  await page.goto(`${portal}/login${next && `?next=${next}`}`);
  await chooseComputer(page, computer);
  await page.getByRole("button", { name: "Continue with NHS Login" }).click();
  await page.getByRole("button", { name: `Continue as ${given}`, exact: true }).click();
  await page.waitForURL((url) => url.origin === portal);
}

async function signOut(page) {
  await page.goto(`${portal}/account/sessions`);
  await page.locator("form[action='/sign-out'] button").first().evaluate((button) => button.form.requestSubmit(button));
  await page.waitForURL((url) => url.pathname === "/signed-out");
}

test("R9.1 R3.2 a patient of the area joins by NHS login, is told what comes here, and comes back without being asked again", async () => {
  const { page, context, complaints } = await visitor(launched);
  await page.goto(`${portal}/login`);
  await heading(page, "Sign in");
  await judged(page, "login");
  await comeAs(page, "Nadia");
  await heading(page, "Get your hospital letters here");
  await judged(page, "join");
  const text = await page.locator("main").innerText();
  for (const part of [
    "From today these letters come here instead of by post.",
    "Outpatient clinic letters from Wye Valley NHS Trust",
    "All letters from Worcestershire Acute Hospitals NHS Trust, for now",
    "Letters from before today do not appear here.",
    "the choice is still yours",
  ]) assert.ok(text.includes(part), part);
  assert.ok(!text.includes("999") && !/\b999 000/.test(await page.content()), "the NHS number is never shown");
  assert.equal(new URL(page.url()).search, "", "nothing personal, and no code, in the address");
  await page.getByRole("button", { name: "I agree: send my letters here" }).click();
  await heading(page, "Hello Nadia");
  await signOut(page);
  await comeAs(page, "Nadia");
  await heading(page, "Hello Nadia");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("R9.1 the same without JavaScript", async () => {
  const { page, context } = await visitor(launched, { javaScriptEnabled: false });
  await comeAs(page, "Owen", { computer: "public" });
  await page.getByRole("button", { name: "I agree: send my letters here" }).click();
  await heading(page, "Hello Owen");
  await context.close();
});

test("R6.1 R6.3 R9.2 R14.1 whoever cannot be let in is told why and what to do", async () => {
  for (const [given, title, advice] of [
    ["Pavel", "You need to finish proving who you are", "prove who you are"],
    ["Yasmin", "You need to be 16 or over", "16th birthday"],
    ["Norman", "You did not agree to share your NHS login details", "go on coming by post"],
    ["Una", "Your email address is not confirmed yet", "junk mail"],
    ["Harold", "Somebody already uses this email address here", "one of you will need to create a new email address"],
    ["Ivor", "Your NHS number has changed", "Nothing is lost"],
  ]) {
    const { page, context, complaints } = await visitor(launched);
    await comeAs(page, given);
    await heading(page, title);
    assert.ok((await page.locator("main").innerText()).includes(advice), `${given}: ${advice}`);
    await judged(page, `sorry-${given.toLowerCase()}`);
    const cookies = (await context.cookies(portal)).map((cookie) => cookie.name);
    assert.deepEqual(cookies, [], `${given} has nothing that opens anything`);
    await page.goto(`${portal}/my-health/documents`);
    await heading(page, "Sign in");
    assert.deepEqual(complaints, []);
    await context.close();
  }
});

test("R6.3 who lives elsewhere gets no letters here, but may have an account to help somebody", async () => {
  for (const [given, title] of [["Brian", "You cannot get your letters here"], ["Rhian", "Joining from Wales is not open yet"]]) {
    const { page, context } = await visitor(launched);
    await comeAs(page, given);
    await heading(page, title);
    await judged(page, `join-${given.toLowerCase()}`);
    assert.equal(await page.getByRole("button", { name: "I agree" }).count(), 0);
    await page.getByRole("button", { name: "Make an account to help somebody" }).click();
    await page.waitForURL((url) => url.pathname === "/people");
    await context.close();
  }
});

test("R3.1 who says no is left as before, and is asked again another time", async () => {
  const { page, context } = await visitor(launched);
  await comeAs(page, "Wendy");
  await page.getByRole("button", { name: "No, go on sending them by post" }).click();
  await heading(page, "Nothing has changed");
  await page.goto(`${portal}/join`);
  await heading(page, "Signing in did not work");
  await comeAs(page, "Wendy");
  await heading(page, "Get your hospital letters here");
  await context.close();
});

test("a member who has moved away is told that post resumes, and keeps no mailbox", async () => {
  const { page, context } = await visitor(launched);
  await comeAs(page, "Moira");
  await heading(page, "Your letters come by post again");
  await judged(page, "moved-away");
  const answer = await ask(context, `${portal}/my-health/documents`);
  assert.equal(answer.status, 404, "there is no mailbox any more");
  await context.close();
});

test("case 77 R17.1 a protected page leads to the sign-in page and back, and nowhere else", async () => {
  const { page, context } = await visitor(launched);
  await page.goto(`${portal}/my-health/documents`);
  assert.equal(new URL(page.url()).pathname, "/login");
  await chooseComputer(page, "private");
  await page.getByRole("button", { name: "Continue with NHS Login" }).click();
  await page.getByRole("button", { name: "Continue as Gwyn", exact: true }).click();
  await page.waitForURL(`${portal}/my-health/documents`);
  await signOut(page);
  await comeAs(page, "Gwyn", { next: encodeURIComponent("//evil.example") });
  assert.equal(new URL(page.url()).pathname, "/");
  await context.close();
});

test("case 87 case 89 a way back that this browser did not begin, or has used, signs nobody in", async () => {
  const { page, context } = await visitor(launched);
  let callback = "";
  page.on("request", (request) => {
    if (request.url().includes("/login/nhs/callback")) callback = request.url();
  });
  await comeAs(page, "Gwyn");
  await heading(page, "Hello Gwyn");
  const stranger = await visitor(launched);
  await stranger.page.goto(callback);
  await heading(stranger.page, "Signing in did not work");
  await stranger.page.goto(`${portal}/my-health/documents`);
  await heading(stranger.page, "Sign in");
  await page.goto(callback);
  await heading(page, "Signing in did not work");
  await page.goto(`${portal}/login/nhs/callback?state=${"A".repeat(43)}&code=x`);
  await heading(page, "Signing in did not work");
  await judged(page, "try-again");
  await stranger.context.close();
  await context.close();
});

test("nobody confirms with somebody else's NHS login", async () => {
  const { page, context } = await visitor(launched);
  await comeAs(page, "Gwyn");
  for (const [given, lands] of [["Susan", "That was somebody else’s NHS login"], ["Gwyn", "Signed-in devices"]]) {
    await page.goto(`${portal}/account/confirm?next=/account/sessions`);
    await page.getByRole("button", { name: "Continue with NHS Login" }).click();
    await page.getByRole("button", { name: `Continue as ${given}`, exact: true }).click();
    await page.waitForURL((url) => url.origin === portal);
    if (given === "Susan") await heading(page, lands);
    else assert.equal(new URL(page.url()).pathname, "/account/sessions");
  }
  await context.close();
});
