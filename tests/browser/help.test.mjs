// Help: open to everybody, searched on the server, by keyboard and without JavaScript; every answer and every link in
// it leads somewhere. And what old browsers, lost readers and breaches of the content policy get.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WIDTHS, ask, browser, judge, screenshot, signIn, visitor } from "./support/chromium.mjs";
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

const ANSWERS = Array.from({ length: 30 }, (_, index) => `/help/questions/${index + 1}`);
const PAGES = ["/help", "/help/questions", "/help/questions?q=cancel", "/help/questions?q=zzzz", "/help/questions/22", "/help/what-comes-here",
  "/help/nhs-login", "/help/nhs-number", "/help/helping", "/help/libraries", "/help/browsers", "/help/accessibility", "/help/cookies", "/help/contact"];

const heading = (page, text) => page.getByRole("heading", { level: 1, name: text, exact: true }).waitFor();
const links = (page) => page.locator("main a[href]").evaluateAll((all) => all.map((link) => link.getAttribute("href")));

for (const [width, viewport] of Object.entries(WIDTHS)) {
  test(`R25.1 every help page names the help desk, signed out and signed in, on a ${width}`, async () => {
    for (const persona of [undefined, "margaret"]) {
      const { page, context, complaints } = await visitor(launched, { viewport });
      const home = persona ? demo.host(persona) : portal;
      if (persona) await signIn(page, home);
      for (const place of [...PAGES, "/nowhere"]) {
        await page.goto(home + place);
        const name = `${persona ?? "visitor"}${place.replace(/[^a-z0-9]+/g, "-")}`;
        await judge(page, name);
        await screenshot(page, name);
        assert.match(await page.locator("footer").innerText(), /help@example\.test/, name);
        assert.equal(await page.getByRole("button", { name: /^Exit quickly/ }).count(), persona ? 1 : 0, name);
      }
      assert.match(await page.locator("main").innerText(), /this reference: [0-9a-f-]{36}/, "a lost reader has a reference");
      assert.deepEqual(complaints, []);
      await context.close();
    }
  });
}

test("R10.1 R11.1 all thirty questions are answered, and every link in help leads to a page that is there", async () => {
  const { page, context } = await visitor(launched, { javaScriptEnabled: false });
  const home = demo.host("margaret");
  await signIn(page, home);
  await page.goto(`${home}/help/questions`);
  const listed = await links(page);
  for (const answer of ANSWERS) assert.ok(listed.includes(answer), `${answer} is not in the list`);
  const seen = new Map();
  for (const place of [...ANSWERS, ...PAGES]) {
    await page.goto(home + place);
    assert.ok((await page.locator("main").innerText()).length > 150, `${place} says too little`);
    for (const link of await links(page)) if (link.startsWith("/")) seen.set(link, place);
  }
  assert.ok(seen.has("/connect/circle-of-care/add") && seen.has("/account/delete") && seen.has("/login"));
  for (const [link, place] of seen) {
    const { status, headers } = await ask(context, home + link);
    assert.ok(status === 200 || status === 303, `${link} on ${place}: ${status}`);
    if (status === 303) assert.ok(link === "/login" || headers.location.startsWith("/account/confirm"), `${link} leads to ${headers.location}`);
  }
  await context.close();
});

test("a question is found, opened and followed by keyboard alone, without JavaScript", async () => {
  const { page, context } = await visitor(launched, { javaScriptEnabled: false });
  await page.goto(`${portal}/login`);
  await page.locator("footer").getByRole("link", { name: "Help", exact: true }).focus();
  await page.keyboard.press("Enter");
  await heading(page, "Help");
  await page.getByRole("link", { name: "Frequently asked questions" }).last().focus();
  await page.keyboard.press("Enter");
  await heading(page, "Frequently asked questions");
  await page.getByRole("searchbox", { name: "Search the questions" }).focus();
  await page.keyboard.type("delete my account");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/help/questions?q=delete+my+account");
  await page.getByRole("heading", { name: /answers? found/ }).waitFor();
  await page.locator("section[aria-labelledby=found] a").first().focus();
  await page.keyboard.press("Enter");
  await heading(page, "How do I delete my account?");
  await page.locator("main").getByRole("link", { name: "Deleting my account" }).focus();
  await page.keyboard.press("Enter");
  // Nobody is signed in: the link leads through the sign-in page, and from there back to it.
  await page.waitForURL((url) => url.pathname === "/login" && url.searchParams.get("next") === "/account/delete");
  await context.close();
});

test("a link of an answer leads whoever is signed in straight there, on a phone from the menu", async () => {
  const { page, context, complaints } = await visitor(launched, { viewport: WIDTHS.phone });
  await signIn(page, demo.host("margaret"));
  await page.locator(".lb-menu__button").click();
  await page.getByRole("navigation", { name: "Menu" }).getByRole("link", { name: "Frequently asked questions" }).click();
  await page.getByRole("link", { name: "How do I see my appointments?" }).click();
  await page.locator("main").getByRole("link", { name: "Your appointments" }).click();
  await heading(page, "Appointments");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("what somebody searches for is in no log", async () => {
  const { page, context } = await visitor(launched);
  await page.goto(`${portal}/help/questions?q=wombat+worry`);
  await page.getByRole("heading", { name: "Nothing found" }).waitFor();
  await page.goto(`${portal}/help/questions/31`);
  await heading(page, "We cannot find that page");
  assert.ok(!/wombat/.test(demo.log()));
  await context.close();
});

test("R7.1 a browser that cannot run the pages' script is told to update, and opens letters all the same", async () => {
  const { page, context } = await visitor(launched);
  // What a browser does with a script that it does not understand: nothing.
  await context.route("**/assets/app-*.js", (route) => route.fulfill({ contentType: "text/javascript", body: "this is no script {" }));
  const home = demo.host("gwyn");
  const stage = await visitor(launched);
  await stage.page.goto(demo.stage);
  await stage.page.getByRole("button", { name: /^1\./ }).click();
  await stage.page.locator(".lb-tally", { hasText: "2 sent" }).waitFor();
  await signIn(page, home);
  await page.goto(`${home}/my-health/documents`);
  await page.getByText("This page cannot update itself in your browser").waitFor();
  await judge(page, "an old browser");
  await screenshot(page, "old-browser");
  await page.getByRole("link", { name: "Please update your browser" }).click();
  await heading(page, "Which browsers work");
  await page.goto(`${home}/my-health/documents`);
  const form = page.locator("form[action$='/view']").first();
  const fields = { csrf: await form.locator("[name=csrf]").inputValue(), nonce: await form.locator("[name=nonce]").inputValue() };
  const action = new URL(await form.getAttribute("action"), home).href;
  const answer = await ask(context, action, { method: "POST", form: fields, headers: { Origin: home, "Sec-Fetch-Site": "same-origin" } });
  assert.equal(answer.body.subarray(0, 5).toString(), "%PDF-");
  await stage.context.close();
  await context.close();
});

test("R7.1 a browser of today is not told to update", async () => {
  const { page, context } = await visitor(launched);
  await page.goto(`${portal}/help`, { waitUntil: "load" });
  await page.locator("html[data-app=running]").waitFor();
  assert.equal(await page.locator("#old-browser").isVisible(), false);
  await context.close();
});

test("a form from another site is refused with a page, a reference and the help desk", async () => {
  const { context } = await visitor(launched);
  const answer = await ask(context, `${portal}/sign-out`, { method: "POST", form: { csrf: "" }, headers: { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" } });
  assert.equal(answer.status, 403);
  const text = answer.body.toString();
  assert.match(text, /<h1/);
  assert.match(text, /mailto:help@example\.test/);
  assert.match(text, /this reference: <strong>[0-9a-f-]{36}/);
  await context.close();
});

test("a breach of the content policy is reported, counted, and nothing of the page is kept", async () => {
  const { page, context } = await visitor(launched);
  const counted = async () => {
    const figures = (await ask(context, `${portal}/metrics`)).body.toString();
    return Number(/letterbox_content_policy_reports_total\{directive="img-src"\} (\d+)/.exec(figures)?.[1] ?? 0);
  };
  const before = await counted();
  await page.goto(`${portal}/help/questions?q=wombat`);
  const reported = context.waitForEvent("request", (request) => request.url().endsWith("/content-policy-reports"));
  await page.evaluate(() => {
    const image = document.createElement("img");
    image.src = "https://elsewhere.example/wombat.png";
    document.body.append(image);
  });
  await reported;
  while ((await counted()) <= before) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(!/wombat|elsewhere/.test(demo.log()));
  await context.close();
});
