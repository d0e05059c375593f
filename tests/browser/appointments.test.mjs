// Appointments: the month by keyboard, the lists, a change while the page is open, asking for a change, the calendar file.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, browser, judge, screenshot, signIn, visitor, WIDTHS } from "./support/chromium.mjs";
import { demonstration } from "./support/demonstration.mjs";

let demo;
let launched;
before(async () => {
  demo = await demonstration();
  launched = await browser();
});
after(async () => {
  await launched?.close();
  await demo?.end();
});

const PLACE = "/my-health/appointments";

async function look(page, name) {
  for (const viewport of Object.values(WIDTHS)) {
    await page.setViewportSize(viewport);
    await judge(page, name);
    await screenshot(page, name);
  }
}

/** Tomorrow in London, as the demonstration books everybody. */
function tomorrow() {
  const day = new Date(Date.now() + 24 * 3600 * 1000);
  return new Intl.DateTimeFormat("en-CA", { timeZone: "Europe/London" }).format(day);
}

test("R29.1 the month is read and walked by keyboard: today in a circle, a dot, a day's details, the next month", async () => {
  const { page, context, complaints } = await visitor(launched, { reducedMotion: "reduce" });
  const home = demo.host("gwyn");
  await signIn(page, home);
  await page.getByRole("link", { name: "My health", exact: true }).first().click();
  await page.getByRole("link", { name: "Appointments", exact: true }).first().click();
  const month = tomorrow().slice(0, 7);
  await page.goto(`${home}${PLACE}?month=${month}`);
  await page.getByRole("table").waitFor();
  assert.equal(await page.getByRole("columnheader").count(), 7);
  await look(page, "calendar");
  const day = page.locator(`a[href*="day=${tomorrow()}"]`);
  assert.match(await day.innerText(), /1 appointment/);
  await day.focus();
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.searchParams.get("day") === tomorrow());
  await page.locator(".lb-row", { hasText: "Eye clinic" }).waitFor();
  await look(page, "calendar-day");
  const shown = (await page.locator("caption").innerText()).trim();
  await page.locator("a[rel=next]").focus();
  await page.keyboard.press("Enter");
  await page.locator("caption").filter({ hasNotText: shown }).waitFor();
  await page.locator("a[rel=prev]").focus();
  await page.keyboard.press("Enter");
  await page.locator("caption", { hasText: shown }).waitFor();
  await page.goto(`${home}${PLACE}`);
  assert.equal(await page.locator("[aria-current=date]").count(), 1, "today");
  const circle = await page.locator(".lb-cal__number--today").evaluate((one) => {
    const { width, height } = one.getBoundingClientRect();
    return { width, height, radius: getComputedStyle(one).borderRadius };
  });
  assert.ok(circle.width >= 32 && circle.width === circle.height && circle.radius === "50%", JSON.stringify(circle));
  assert.deepEqual(complaints, []);
  await context.close();
});

test("R29.2 the lists and one appointment, with JavaScript off; what cannot be read is the month of today", async () => {
  const { page, context } = await visitor(launched, { javaScriptEnabled: false });
  const home = demo.host("gwyn");
  await signIn(page, home);
  for (const wrong of ["month=2026-13", "month=x&day=y", "day=9999-99-99", "month=%27"]) {
    await page.goto(`${home}${PLACE}?${wrong}`);
    assert.equal(await page.locator("[aria-current=date]").count(), 1, wrong);
  }
  await page.getByRole("link", { name: "Cancelled" }).click();
  await page.getByText("No appointment has been cancelled.").waitFor();
  await page.getByRole("link", { name: "Past" }).click();
  await page.getByRole("heading", { name: "Past" }).waitFor();
  await page.getByRole("link", { name: "Upcoming" }).click();
  await page.getByRole("link", { name: /^Details/ }).click();
  for (const words of ["Place", "What to bring", "01432 000000"]) await page.getByText(words).first().waitFor();
  await page.getByText("less than 2 working days away").waitFor();
  assert.equal(await page.getByRole("link", { name: /^Ask to cancel/ }).count(), 0, "too near to ask in writing");
  await page.getByRole("button", { name: "I’ll be there" }).click();
  await page.getByText("that you will be there").waitFor();
  await context.close();
});

test("R29.3 the calendar file names no clinic, and is not for a public computer", async () => {
  const home = demo.host("gwyn");
  const own = await visitor(launched);
  await signIn(own.page, home, "private");
  await own.page.goto(`${home}${PLACE}/upcoming`);
  await own.page.getByRole("link", { name: /^Details/ }).click();
  await own.page.getByRole("link", { name: "Add to my calendar" }).waitFor();
  await look(own.page, "appointment");
  const address = `${own.page.url()}/calendar.ics`;
  const file = await ask(own.context, address);
  assert.equal(file.headers["content-type"], "text/calendar; charset=utf-8");
  const text = file.body.toString();
  assert.match(text, /^BEGIN:VCALENDAR\r\n/);
  assert.match(text, new RegExp(`DTSTART:${tomorrow().replaceAll("-", "")}T\\d{6}Z\r\n`));
  assert.doesNotMatch(text, /eye|clinic|hereford/i);
  const library = await visitor(launched);
  await signIn(library.page, home, "public");
  assert.equal((await ask(library.context, address)).status, 303);
  await own.context.close();
  await library.context.close();
});

test("R5.1 R5.2 R22.1 a request is pending, is answered on the board with a message, and the appointment stands", async () => {
  const { page, context, complaints } = await visitor(launched);
  const home = demo.host("margaret");
  await signIn(page, home);
  await page.goto(`${home}${PLACE}/upcoming`);
  await page.getByRole("link", { name: /^Details/ }).click();
  await page.getByText("eye.bookings@example.test").waitFor();
  const facts = await page.locator(".nhsuk-summary-list").innerText();
  await page.getByRole("link", { name: /^Ask to cancel/ }).click();
  await page.getByText("Your appointment still stands until the hospital confirms.").waitFor();
  await look(page, "request");
  await page.getByLabel("Another time").check();
  await page.getByLabel(/Anything the booking team/).fill("Mornings suit me <b>best</b>");
  await page.getByRole("button", { name: "Send to the hospital" }).click();
  await page.locator(".nhsuk-tag", { hasText: "Pending reschedule" }).waitFor();
  await page.getByText("still stands until the hospital confirms").first().waitFor();
  assert.equal(await page.getByRole("link", { name: /^Ask to cancel/ }).count(), 0, "one at a time");
  await page.locator("[data-status]", { hasText: "Connected" }).waitFor();
  await look(page, "appointment-pending");
  const office = await visitor(launched);
  await signIn(office.page, demo.host("booking"));
  const wish = office.page.locator(".lb-row", { hasText: "for another time: Eye clinic" });
  await wish.getByText("Mornings suit me <b>best</b>").waitFor();
  await look(office.page, "board-request");
  await wish.getByLabel("Message to the patient").fill("We will send you a new date this week.");
  await wish.getByRole("button", { name: /^Agree/ }).click();
  await office.page.getByText("No patient waits for an answer").waitFor();
  await page.getByText("The hospital says: We will send you a new date this week.").waitFor();
  await page.getByText("The hospital has agreed").waitFor();
  assert.equal(await page.locator(".nhsuk-summary-list").innerText(), facts, "the appointment itself has not changed");
  assert.deepEqual([...complaints, ...office.complaints], []);
  await office.context.close();
  await context.close();
});

test("R17.1 a carer sees appointments with the tick, and asks for nothing", async () => {
  const { page, context } = await visitor(launched);
  const home = demo.host("susan");
  await signIn(page, home);
  await page.getByRole("link", { name: /Margaret/ }).first().click();
  const grant = /people\/([0-9a-f-]{36})/.exec(page.url())[1];
  await page.goto(`${home}/people/${grant}/appointments`);
  await look(page, "carer-appointments");
  await page.getByRole("link", { name: /^Details/ }).click();
  await page.getByText("What to bring").waitFor();
  for (const name of ["I’ll be there", "Send to the hospital"]) assert.equal(await page.getByRole("button", { name }).count(), 0);
  assert.equal(await page.getByRole("link", { name: /Ask to cancel|Add to my calendar/ }).count(), 0);
  await context.close();
});

test("R29.4 a cancellation is on the open month and the open details without a reload", async () => {
  const home = demo.host("gwyn");
  const month = await visitor(launched);
  await signIn(month.page, home);
  await month.page.goto(`${home}${PLACE}?month=${tomorrow().slice(0, 7)}`);
  await month.page.locator("[data-status]", { hasText: "Connected" }).waitFor();
  const details = await month.context.newPage();
  await details.goto(`${home}${PLACE}/upcoming`);
  await details.getByRole("link", { name: /^Details/ }).click();
  await details.locator("[data-status]", { hasText: "Connected" }).waitFor();
  const office = await visitor(launched);
  await signIn(office.page, demo.host("booking"));
  await office.page.getByText("Cancel a clinic", { exact: true }).click();
  const pressed = Date.now();
  await office.page.getByRole("button", { name: /^Cancel this clinic/ }).click();
  await month.page.locator(`a[href*="day=${tomorrow()}"]`, { hasText: "1 cancelled" }).waitFor();
  const heard = Date.now() - pressed;
  assert.ok(heard < 10_000, `the month changed after ${heard} ms; the goal is 1 s`);
  await month.page.getByRole("link", { name: "1 change to read" }).waitFor();
  await details.getByText("This appointment has changed.").first().waitFor();
  await details.getByRole("link", { name: "See what is new" }).click();
  await details.getByRole("button", { name: /^See details/ }).click();
  await details.getByText("You do not need to come.").waitFor();
  await look(details, "appointment-cancelled");
  assert.deepEqual([...month.complaints, ...office.complaints], []);
  await month.context.close();
  await office.context.close();
});
