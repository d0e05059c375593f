import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { Connection } = await load("live/connection.ts");

/** A world whose clock stands still until told, and which remembers what it was asked for. */
function world({ tickets = [] } = {}) {
  let now = 0;
  let next = 1;
  const timers = new Map();
  const sockets = [];
  const self = {
    sockets,
    told: [],
    asked: 0,
    ticket: async () => {
      self.asked += 1;
      const answer = tickets.length > 0 ? tickets.shift() : { kind: "ticket", ticket: "t" };
      if (answer instanceof Error) throw answer;
      return answer;
    },
    open: () => {
      const socket = { sent: [], closed: false, onopen: null, onmessage: null, onclose: null };
      socket.send = (text) => socket.sent.push(JSON.parse(text));
      socket.close = () => (socket.closed = true);
      sockets.push(socket);
      return socket;
    },
    random: () => 0.5,
    after: (milliseconds, run) => (timers.set(next, { at: now + milliseconds, run }), next++),
    cancel: (timer) => timers.delete(timer),
    now: () => now,
    /** The machine sleeps: the clock goes on, the timers do not fire. */
    sleep(milliseconds) {
      now += milliseconds;
      for (const timer of timers.values()) timer.at += milliseconds;
    },
    async pass(milliseconds) {
      const until = now + milliseconds;
      for (;;) {
        await settle();
        const due = [...timers].filter(([, timer]) => timer.at <= until).sort((a, b) => a[1].at - b[1].at)[0];
        if (!due) break;
        timers.delete(due[0]);
        now = Math.max(now, due[1].at);
        due[1].run();
      }
      now = until;
      await settle();
    },
  };
  const page = Object.fromEntries(
    ["changed", "gone", "connected", "reconnecting", "signedOut"].map((name) => [name, (...what) => self.told.push([name, ...what])]),
  );
  self.connection = new Connection(self, page);
  return self;
}

async function settle() {
  for (let turn = 0; turn < 20; turn += 1) await null;
}

const ok = { t: "ok", ping: 25, ttl: 900, boxes: [{ b: "box", pos: "p0", res: "live" }] };

async function connected(options) {
  const w = world(options);
  w.connection.start();
  await w.pass(0);
  w.sockets[0].onopen();
  receive(w, ok);
  return w;
}

function receive(w, frame, socket = w.sockets.at(-1)) {
  socket.onmessage({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
}

test("it says hello with its ticket, and asks for every box once it is in", async () => {
  const w = await connected();
  assert.deepEqual(w.sockets[0].sent[0], { t: "hi", ticket: "t", pos: {} });
  assert.deepEqual(w.told, [["changed", "box"], ["connected"]]);
});

test("an event sent twice counts once, and a jump in the numbers makes the page ask again", async () => {
  const w = await connected();
  w.told.length = 0;
  const event = (n, id) => ({ t: "ev", n, b: "box", c: `p${n}`, e: { id, k: "letter.published" } });
  receive(w, event(1, "a"));
  receive(w, event(2, "a"));
  assert.equal(w.told.length, 1);
  receive(w, event(9, "a"));
  assert.equal(w.told.length, 2);
});

test("after a cut it comes back with its cursor, and says so meanwhile", async () => {
  const w = await connected();
  receive(w, { t: "ev", n: 1, b: "box", c: "p1", e: { id: "a", k: "letter.published" } });
  w.told.length = 0;
  w.sockets[0].onclose({ code: 1006 });
  assert.deepEqual(w.told, [["reconnecting"]]);
  await w.pass(600);
  assert.equal(w.sockets.length, 2);
  w.sockets[1].onopen();
  assert.deepEqual(w.sockets[1].sent[0], { t: "hi", ticket: "t", pos: { box: "p1" } });
});

test("waits grow with failures, and only half a healthy minute resets them", async () => {
  const w = world({ tickets: [new Error("down"), new Error("down"), new Error("down"), new Error("down")] });
  w.connection.start();
  await w.pass(0);
  await w.pass(500 + 500 + 1_000);
  assert.equal(w.asked, 4);
  await w.pass(1_999);
  assert.equal(w.asked, 4);
  await w.pass(2);
  assert.equal(w.asked, 5);
});

test("a server that asks for time gets it", async () => {
  const w = world({ tickets: [{ kind: "later", after: 7_000 }] });
  w.connection.start();
  await w.pass(7_400);
  assert.equal(w.asked, 1);
  await w.pass(200);
  assert.equal(w.asked, 2);
});

test("silence longer than a ping and ten seconds is taken for death", async () => {
  const w = await connected();
  await w.pass(34_000);
  receive(w, { t: "p", c: { box: "p5" } });
  assert.deepEqual(w.sockets[0].sent.at(-1), { t: "p" });
  await w.pass(34_000);
  assert.equal(w.sockets[0].closed, false);
  await w.pass(1_001);
  assert.equal(w.sockets[0].closed, true);
  assert.deepEqual(w.told.at(-1), ["reconnecting"]);
});

test("a hidden page says so, leaves after a minute, and does not try until it is seen again", async () => {
  const w = await connected();
  w.connection.setHidden(true);
  assert.deepEqual(w.sockets[0].sent.at(-1), { t: "bg" });
  for (let second = 0; second < 59; second += 20) {
    await w.pass(20_000);
    if (!w.sockets[0].closed) receive(w, { t: "p", c: {} });
  }
  assert.equal(w.sockets[0].closed, true);
  await w.pass(600_000);
  assert.equal(w.sockets.length, 1);
  w.connection.setHidden(false);
  await w.pass(1_500);
  assert.equal(w.sockets.length, 2);
});

test("a page that comes back keeps a socket that was heard of lately, and gives up one that slept too long", async () => {
  const w = await connected();
  await w.pass(20_000);
  w.connection.comeBack();
  assert.equal(w.sockets[0].closed, false);
  w.sleep(3_600_000);
  w.connection.comeBack();
  assert.equal(w.sockets[0].closed, true);
  await w.pass(1_500);
  assert.equal(w.sockets.length, 2);
});

test("stay-away codes are obeyed, and a lost session asks for signing in", async () => {
  for (const [code, last] of [[4003, "reconnecting"], [4029, "reconnecting"], [4001, "signedOut"]]) {
    const w = await connected();
    w.sockets[0].onclose({ code });
    await w.pass(600_000);
    assert.equal(w.sockets.length, 1, `code ${code}`);
    assert.deepEqual(w.told.at(-1), [last]);
  }
});

test("a withdrawn box is taken off the page at once, and its cursor is forgotten", async () => {
  const w = await connected();
  receive(w, { t: "gone", b: "box" });
  assert.deepEqual(w.told.at(-1), ["gone", "box"]);
  w.sockets[0].onclose({ code: 1006 });
  await w.pass(600);
  w.sockets[1].onopen();
  assert.deepEqual(w.sockets[1].sent[0].pos, {});
});

test("receipts are sent again until the server has stored them", async () => {
  const w = await connected();
  w.connection.shown("event", "receipt");
  assert.deepEqual(w.sockets[0].sent.at(-1), { t: "rx", id: "receipt", ev: "event", k: "shown" });
  w.sockets[0].onclose({ code: 4101 });
  await w.pass(600);
  w.sockets[1].onopen();
  receive(w, ok);
  assert.equal(w.sockets[1].sent.filter((frame) => frame.t === "rx").length, 1);
  receive(w, { t: "rxok", id: "receipt" });
  w.sockets[1].onclose({ code: 4101 });
  await w.pass(1_200);
  w.sockets[2].onopen();
  receive(w, ok);
  assert.equal(w.sockets[2].sent.filter((frame) => frame.t === "rx").length, 0);
});

test("acks are lazy: one for all that came within a second", async () => {
  const w = await connected();
  for (let n = 1; n <= 5; n += 1) receive(w, { t: "ev", n, b: "box", c: `p${n}`, e: { id: `e${n}`, k: "letter.published" } });
  await w.pass(1_000);
  assert.deepEqual(w.sockets[0].sent.filter((frame) => frame.t === "ack"), [{ t: "ack", n: 5 }]);
});

test("frames it does not know are ignored", async () => {
  const w = await connected();
  const before = w.told.length;
  for (const frame of ["not json", "[]", "null", { t: "future", b: "box" }, { no: "kind" }]) receive(w, frame);
  assert.equal(w.told.length, before);
});
