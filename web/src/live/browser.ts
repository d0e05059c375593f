/** The real world behind `Connection`: fetch, WebSocket, timers, dice. */

import type { Socket, Ticket, World } from "./connection.ts";

/** The ticket endpoint may ask us to wait, but never longer than this (milliseconds). */
const LONGEST_WAIT = 120_000;

async function ticket(): Promise<Ticket> {
  const answer = await fetch("/live/ticket", { method: "POST", headers: { Accept: "application/json" }, cache: "no-store" });
  if (answer.ok) return { kind: "ticket", ticket: ((await answer.json()) as { ticket: string }).ticket };
  if (answer.status === 401) return { kind: "sign-in" };
  const seconds = Number(answer.headers.get("Retry-After") ?? "0");
  return { kind: "later", after: Math.min(LONGEST_WAIT, (Number.isFinite(seconds) ? Math.max(0, seconds) : 0) * 1_000) };
}

export const browser: World = {
  ticket,
  open: () => {
    const address = new URL("/live", location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    return new WebSocket(address, "letterbox.v1") as unknown as Socket;
  },
  random: Math.random,
  after: (milliseconds, run) => window.setTimeout(run, milliseconds),
  cancel: (timer) => window.clearTimeout(timer),
  // Not `performance.now()`, which stands still on some machines while they sleep.
  now: () => Date.now(),
};
