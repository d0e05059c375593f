// Every page at 320 and 1280 px: nothing that axe-core finds, nothing wider than the window, a picture for the eye.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, judge, screenshot, signIn, visitor, WIDTHS } from "./support/chromium.mjs";
import { demonstration } from "./support/demonstration.mjs";

let demo;
let launched;
before(async () => {
  demo = await demonstration();
  launched = await browser();
  const { page, context } = await visitor(launched);
  await page.goto(demo.stage);
  for (const button of [/^1\./, /^2\./]) {
    await page.getByRole("button", { name: button }).click();
    await page.locator("[data-id='2'] button:not([disabled]), [data-id='3'] button:not([disabled])").last().waitFor();
  }
  await context.close();
});
after(async () => {
  await launched?.close();
  await demo?.end();
});

const PLACES = {
  "margaret": ["/", "/my-health/documents", "/my-health/appointments", "/my-health/appointments/past", "/my-health/appointments/cancelled", "/connect/circle-of-care", "/nowhere"],
  "gwyn": ["/my-health/appointments/cancelled"],
  "susan": ["/people"],
  "booking": ["/board"],
};

for (const [width, viewport] of Object.entries(WIDTHS)) {
  test(`pages of the demonstration itself, on a ${width}`, async () => {
    const { page, context, complaints } = await visitor(launched, { viewport });
    for (const [name, place] of [["stage", demo.stage], ["outside-world", demo.outside], ["sign-in", `${demo.host("margaret")}/demo/sign-in`]]) {
      await page.goto(place);
      await judge(page, name);
      await screenshot(page, name);
    }
    assert.deepEqual(complaints, []);
    await context.close();
  });

  for (const [persona, places] of Object.entries(PLACES)) {
    test(`${persona}'s pages, on a ${width}`, async () => {
      const { page, context, complaints } = await visitor(launched, { viewport });
      await signIn(page, demo.host(persona));
      for (const place of places) {
        await page.goto(demo.host(persona) + place);
        const name = `${persona}${place.replace(/[^a-z]+/g, "-").replace(/-$/, "")}`;
        await judge(page, name);
        await screenshot(page, name);
      }
      assert.deepEqual(complaints, []);
      await context.close();
    });
  }

  test(`a letter's page, before and after reading it there, on a ${width}`, async () => {
    const { page, context, complaints } = await visitor(launched, { viewport });
    await signIn(page, demo.host("gwyn"));
    await page.goto(`${demo.host("gwyn")}/my-health/documents`);
    await page.getByRole("link", { name: "Your eye clinic appointment", exact: true }).click();
    await judge(page, "letter");
    await screenshot(page, `letter-${width === "phone" ? "unread" : "read"}`);
    if (width === "phone") {
      await page.getByRole("button", { name: "Read it on this page instead" }).click();
      await page.getByRole("heading", { name: "The letter", exact: true }).waitFor();
      await judge(page, "letter with its text");
      await screenshot(page, "letter-text");
    }
    assert.deepEqual(complaints, []);
    await context.close();
  });
}

test("R4.1 on a phone everything is reached by the Menu button, by keyboard too", async () => {
  const { page, context } = await visitor(launched, { viewport: WIDTHS.phone });
  await signIn(page, demo.host("margaret"));
  const menu = page.locator(".lb-menu__button");
  await menu.focus();
  await page.keyboard.press("Enter");
  await judge(page, "the open menu");
  await screenshot(page, "margaret-menu");
  await page.getByRole("navigation", { name: "Menu" }).getByRole("link", { name: "Appointments" }).click();
  await page.waitForURL("**/my-health/appointments");
  await context.close();
});
