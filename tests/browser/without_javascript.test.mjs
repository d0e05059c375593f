// The patient's journey with JavaScript off: sign in, open the PDF, read an appointment, stop sharing, sign out.
// And what must never count as opening: a GET, a HEAD, a prefetch, a form from elsewhere, a button pressed twice.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, browser, signIn, signOut, visitor } from "./support/chromium.mjs";
import { demonstration } from "./support/demonstration.mjs";

let demo;
let launched;
let stage;
before(async () => {
  demo = await demonstration();
  launched = await browser();
  stage = await visitor(launched);
  await stage.page.goto(demo.stage);
  await stage.page.getByRole("button", { name: /^1\./ }).click();
  await stage.page.locator(".lb-tally", { hasText: "2 sent" }).waitFor();
});
after(async () => {
  await launched?.close();
  await demo?.end();
});

test("looking is not opening: lists, letter pages, HEAD, GET and forms without our token leave a letter unread", async () => {
  const { page, context } = await visitor(launched, { javaScriptEnabled: false });
  const home = demo.host("gwyn");
  await signIn(page, home);
  await page.goto(`${home}/my-health/documents`);
  const letter = new URL(await page.getByRole("link", { name: "Your eye clinic appointment", exact: true }).getAttribute("href"), home).href;
  const form = page.locator("form[action$='/view']").first();
  const fields = { csrf: await form.locator("[name=csrf]").inputValue(), nonce: await form.locator("[name=nonce]").inputValue() };
  await page.goto(letter);
  for (const method of ["GET", "HEAD", "OPTIONS"]) {
    for (const place of [letter, `${letter}/file`, `${letter}/view`]) await ask(context, place, { method, headers: { Purpose: "prefetch", "Sec-Purpose": "prefetch" } });
  }
  const ours = { Origin: home, "Sec-Fetch-Site": "same-origin" };
  const forged = [
    [{ ...fields, csrf: "" }, ours],
    [{ ...fields, csrf: "x".repeat(43) }, ours],
    [{ ...fields, nonce: "" }, ours],
    [{ ...fields, nonce: fields.nonce.replace(/^./, (sign) => (sign === "A" ? "B" : "A")) }, ours],
    [fields, { Origin: "http://evil.example", "Sec-Fetch-Site": "cross-site" }],
    [fields, { Origin: home, "Sec-Fetch-Site": "cross-site" }],
  ];
  for (const [body, headers] of forged) {
    const answer = await ask(context, `${letter}/view`, { method: "POST", form: body, headers });
    assert.notEqual(answer.headers["content-type"], "application/pdf", JSON.stringify([body, headers]));
  }
  const answer = await ask(context, `${letter}/file`);
  assert.equal(answer.status, 303);
  await page.goto(`${home}/my-health/documents`);
  assert.match(await page.locator(".lb-row__promise").first().innerText(), /^New\. We will post this/);
  await context.close();
});

test("R7.1 View opens the PDF by a plain form, once, and the list says so after a reload", async () => {
  const { page, context } = await visitor(launched, { javaScriptEnabled: false });
  const home = demo.host("margaret");
  await signIn(page, home);
  await page.goto(`${home}/my-health/documents`);
  const form = page.locator("form[action$='/view']").first();
  const fields = { csrf: await form.locator("[name=csrf]").inputValue(), nonce: await form.locator("[name=nonce]").inputValue() };
  const action = new URL(await form.getAttribute("action"), home).href;
  const headers = { Origin: home, "Sec-Fetch-Site": "same-origin" };
  const answer = await ask(context, action, { method: "POST", form: fields, headers });
  assert.equal(answer.status, 200);
  assert.equal(answer.body.subarray(0, 5).toString(), "%PDF-");
  const wanted = { "content-type": "application/pdf", "cache-control": "no-store", "x-content-type-options": "nosniff", "x-frame-options": "DENY" };
  for (const [name, value] of Object.entries(wanted)) assert.equal(answer.headers[name], value);
  assert.match(answer.headers["content-security-policy"], /^sandbox;/);
  assert.match(answer.headers["content-disposition"], /^inline/);
  await stage.page.locator(".lb-tally", { hasText: "1 opened" }).waitFor();
  const again = await ask(context, action, { method: "POST", form: fields, headers });
  assert.equal(again.status, 303, "the number is used up; the file is read again by its own address");
  await page.getByRole("link", { name: "Check for new letters" }).click();
  assert.match(await page.locator(".lb-row__promise").first().innerText(), /^Opened by you/);
  assert.equal(await page.locator("[data-bar]").isVisible(), false);
  await context.close();
});

test("appointments, sharing and signing out are plain forms", async () => {
  const { page, context } = await visitor(launched, { javaScriptEnabled: false });
  const home = demo.host("margaret");
  await signIn(page, home);
  await page.goto(`${home}/connect/circle-of-care`);
  await page.getByRole("button", { name: /^Stop sharing with Susan/ }).click();
  await page.getByText(/Withdrawing…|Not shared/).waitFor();
  await page.goto(`${home}/my-health/appointments`);
  await page.getByRole("link", { name: "Past" }).click();
  await page.getByRole("heading", { name: "Past" }).waitFor();
  await signOut(page);
  await page.goto(`${home}/my-health/documents`);
  assert.equal(new URL(page.url()).pathname, "/demo/sign-in");
  await context.close();
});

test("after signing out, Back shows nothing", async () => {
  const { page, context } = await visitor(launched);
  const home = demo.host("gwyn");
  await signIn(page, home);
  await page.goto(`${home}/my-health/documents`);
  await page.locator("[data-status]", { hasText: "Connected" }).waitFor();
  await signOut(page);
  await page.goBack();
  await page.waitForURL("**/demo/sign-in");
  assert.equal(await page.locator("body", { hasText: "eye clinic" }).count(), 0);
  await context.close();
});
