// The keeper of a session, with a clock, a server and tabs of our own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { Keeper } = await load("session/keeper.ts");
const { Presses } = await load("session/exit.ts");

/** A browser with tabs; `server` answers what the server would say. */
function browser(server) {
  let now = 0;
  let last = 0;
  const timers = new Map();
  const tabs = [];
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  function tab(left, warning = 120, alone = false) {
    const screen = { state: "shown", warnings: [], asked: [] };
    const world = {
      now: () => now,
      after: (wait, run) => (timers.set(++last, { at: now + wait, run }), last),
      cancel: (timer) => timers.delete(timer),
      left: async () => (screen.asked.push("left"), server.left(now)),
      stay: async () => (screen.asked.push("stay"), server.stay(now)),
      tell: (word) => tabs.filter((other) => other.screen !== screen).forEach((other) => other.keeper.told(word)),
    };
    const keeper = new Keeper(world, {
      warn: (seconds) => (screen.warnings.push(seconds), (screen.warned = true)),
      calm: () => (screen.warned = false),
      hide: () => (screen.state = "hidden"),
      show: () => (screen.state = "shown"),
      wipe: () => (screen.state = "wiped"),
    }, left, warning, alone);
    tabs.push({ keeper, screen });
    return { keeper, screen };
  }
  async function pass(seconds) {
    const until = now + seconds * 1_000;
    for (;;) {
      const due = [...timers].filter(([, timer]) => timer.at <= until).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      timers.delete(due[0]);
      now = Math.max(now, due[1].at);
      due[1].run();
      await settle();
    }
    now = until;
    await settle();
  }
  return { tab, pass, settle };
}

/** A server whose session ends after so many idle seconds; `stay` starts them again. */
function idleFor(seconds) {
  const server = { endsAt: seconds * 1_000, left: (now) => (now < server.endsAt ? (server.endsAt - now) / 1_000 : "ended"), stay: (now) => {
    if (now >= server.endsAt) return "ended";
    server.endsAt = now + seconds * 1_000;
    return seconds;
  } };
  return server;
}

test("R23.1 an unused page warns two minutes before the end and is wiped at the end, by itself", async () => {
  const { tab, pass } = browser(idleFor(300));
  const { screen } = tab(300);
  await pass(179);
  assert.deepEqual(screen.warnings, []);
  await pass(2);
  assert.equal(screen.warnings[0], 120);
  await pass(118);
  assert.equal(screen.state, "shown");
  await pass(2);
  assert.equal(screen.state, "wiped");
});

test("staying starts the time again, in all tabs", async () => {
  const { tab, pass } = browser(idleFor(300));
  const [one, other] = [tab(300), tab(300)];
  await pass(200);
  assert.ok(one.screen.warned && other.screen.warned);
  await one.keeper.stay();
  assert.equal(one.screen.warned, false);
  assert.equal(other.screen.warned, false);
  await pass(290);
  assert.equal(other.screen.state, "shown");
  await pass(20);
  assert.equal(one.screen.state, "wiped");
  assert.equal(other.screen.state, "wiped");
});

test("asking is no use of the site: a page left alone ends in time, however often it asks", async () => {
  const { tab, pass } = browser(idleFor(300));
  const { keeper, screen } = tab(300, 120, true);
  for (let minute = 0; minute < 5; minute += 1) {
    keeper.seen();
    await pass(60);
  }
  await pass(5);
  assert.ok(screen.asked.filter((what) => what === "left").length >= 5);
  assert.equal(screen.asked.includes("stay"), false);
  assert.equal(screen.state, "wiped");
});

test("somebody who types or scrolls stays signed in, and the server hears of it once a minute at most", async () => {
  const { tab, pass } = browser(idleFor(300));
  const { keeper, screen } = tab(300);
  for (let second = 0; second < 600; second += 10) {
    keeper.used();
    await pass(10);
  }
  assert.equal(screen.state, "shown");
  assert.deepEqual(screen.warnings, []);
  assert.ok(screen.asked.length <= 10, String(screen.asked.length));
});

test("while the warning stands, a key is not an answer", async () => {
  const { tab, pass } = browser(idleFor(300));
  const { keeper, screen } = tab(300);
  await pass(200);
  keeper.used();
  await pass(101);
  assert.equal(screen.state, "wiped");
});

test("a tab that hears of a sign-out hides first and asks then", async () => {
  const server = idleFor(900);
  const { tab, settle } = browser(server);
  const { keeper, screen } = tab(900);
  keeper.told({ t: "ended" });
  assert.equal(screen.state, "hidden");
  await settle();
  assert.equal(screen.state, "shown", "the session stands: somebody only looked at the page");
  server.endsAt = 0;
  keeper.told({ t: "ended" });
  assert.equal(screen.state, "hidden");
  await settle();
  assert.equal(screen.state, "wiped");
});

test("one tab that finds the session ended takes the others along", async () => {
  const server = idleFor(900);
  const { tab, settle } = browser(server);
  const [one, other] = [tab(900), tab(900)];
  server.endsAt = 0;
  one.keeper.ended();
  assert.equal(one.screen.state, "wiped");
  assert.equal(other.screen.state, "hidden");
  await settle();
  assert.equal(other.screen.state, "wiped");
});

test("a page that slept past its end shows nothing before the server has spoken", async () => {
  let answer = "unknown";
  const { tab, pass, settle } = browser({ left: () => answer, stay: () => answer });
  const { keeper, screen } = tab(300);
  await pass(301);
  assert.equal(screen.state, "hidden");
  await pass(60);
  assert.equal(screen.state, "hidden", "no answer is no permission");
  answer = "ended";
  keeper.seen();
  await settle();
  assert.equal(screen.state, "wiped");
});

test("Escape three times in a row leaves; two and another key do not", () => {
  const presses = new Presses();
  assert.deepEqual([0, 500, 1_000].map((at) => presses.pressed(at)), [2, 1, 0]);
  presses.pressed(5_000);
  presses.pressed(5_100);
  presses.other();
  assert.equal(presses.pressed(5_200), 2);
  assert.equal(presses.pressed(9_000), 2, "too slow");
});
