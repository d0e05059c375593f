/** Starts what a page needs. Every page works without it; with it, the page stays up to date by itself. */

import { createAll, ErrorSummary, SkipLink } from "nhsuk-frontend";
import type { Fields } from "./binding.ts";
import { browser } from "./live/browser.ts";
import { Connection } from "./live/connection.ts";
import { Refresher, type Refreshed } from "./refresh.ts";
import { keepSession } from "./session/browser.ts";
import { forgetDrafts, keepDrafts } from "./session/drafts.ts";
import { quickExit } from "./session/exit.ts";

/** Without a socket (the stage, the outside world): how often to ask, and how long to wait after a failure. */
const POLL = 1_000;

/** Words with a number in them, for the bar and for announcements. */
function newLetters(count: number): string {
  return count === 1 ? "1 new letter" : `${count} new letters`;
}

function clock(): string {
  return new Date().toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "Europe/London" });
}

class LivePage {
  private readonly status = document.querySelector<HTMLElement>("[data-status]");
  private readonly announcer = document.querySelector<HTMLElement>("[data-announce]");
  private readonly bar = document.querySelector<HTMLElement>("[data-bar]");
  private readonly refresher: Refresher;
  private connection: Connection | undefined;
  private lastChecked = clock();
  private announced = "";
  private readonly unshown = new Set<string>();
  private held = 0;
  private rechecking: number | undefined;

  constructor(
    root: HTMLElement,
    private readonly signedOut: () => void,
  ) {
    this.refresher = new Refresher(
      root.dataset["source"] ?? location.pathname,
      (refreshed) => this.refreshed(refreshed),
      (outcome) => this.failed(outcome),
    );
    this.bar?.querySelector("button")?.addEventListener("click", () => this.show());
    document.addEventListener("visibilitychange", () => this.visibility());
    window.addEventListener("online", () => this.connection?.comeBack());
    if (root.dataset["live"] === "poll") this.poll();
    else this.listen();
  }

  private listen(): void {
    this.connection = new Connection(browser, {
      changed: (_box, event) => {
        if (event) this.unshown.add(event);
        this.refresher.ask();
      },
      gone: () => this.leave(),
      connected: () => this.say("connected"),
      reconnecting: () => this.reconnecting(),
      signedOut: () => this.signedOut(),
    });
    this.connection.start();
  }

  private failed(outcome: "gone" | "signed-out" | "unreachable"): void {
    if (outcome === "gone") this.leave();
    else if (outcome === "signed-out") this.signedOut();
    else this.reconnecting();
  }

  /** No more frames, no more requests. */
  stop(): void {
    this.connection?.stop();
  }

  private poll(): void {
    this.refresher.ask();
    window.setInterval(() => {
      if (!document.hidden) this.refresher.ask();
    }, POLL);
  }

  private visibility(): void {
    this.connection?.setHidden(document.hidden);
    if (!document.hidden) this.refresher.ask();
  }

  private refreshed({ held, model }: Refreshed): void {
    this.lastChecked = clock();
    this.held = held.length;
    this.say("connected");
    this.showBar(held);
    this.receipts();
    this.announce(held, model);
    this.recheck(Number(model["recheck_ms"] ?? 0));
  }

  /** Something is under way that no event tells of: the page asks once more, while somebody looks at it. */
  private recheck(milliseconds: number): void {
    window.clearTimeout(this.rechecking);
    if (milliseconds <= 0) return;
    this.rechecking = window.setTimeout(() => {
      if (!document.hidden) this.refresher.ask();
    }, Math.max(milliseconds, POLL));
  }

  /** What is on the screen of a page in view has been shown; what waits behind the bar has not. */
  private receipts(): void {
    if (this.held > 0 || document.hidden) return;
    for (const event of this.unshown) this.connection?.shown(event, crypto.randomUUID());
    this.unshown.clear();
  }

  private showBar(held: Fields[]): void {
    if (!this.bar) return;
    this.bar.hidden = held.length === 0;
    const promise = held.length === 1 ? String(held[0]?.["promise"] ?? "") : "";
    const [line, button] = [this.bar.querySelector("p"), this.bar.querySelector("button")];
    if (line) line.textContent = promise;
    if (button) button.textContent = `Show ${newLetters(held.length)}`;
  }

  private show(): void {
    this.refresher.showHeld();
    // Focus goes to what was asked for, not back to the top of the page.
    document.querySelector<HTMLElement>("[data-list][data-hold] a, [data-list][data-hold] button")?.focus();
  }

  /** Politely, and only what is new: a screen reader is not told the same thing twice. */
  private announce(held: Fields[], model: Fields): void {
    const words = held.length > 0 ? `${newLetters(held.length)}. Press Show to read.` : String(model["announcement"] ?? "");
    if (!this.announcer || words === this.announced) return;
    this.announced = words;
    this.announcer.textContent = words;
  }

  private reconnecting(): void {
    this.say("reconnecting");
  }

  private say(state: "connected" | "reconnecting"): void {
    if (!this.status) return;
    this.status.dataset["state"] = state;
    const words = state === "connected" ? "Connected. This page updates by itself." : `Reconnecting, last checked ${this.lastChecked}`;
    if (this.status.textContent !== words) this.status.textContent = words;
  }

  /** No longer ours to see: nothing of it stays on the screen. */
  private leave(): void {
    this.connection?.stop();
    document.querySelectorAll("[data-list]").forEach((list) => list.replaceChildren());
    location.replace("/");
  }
}

// A page kept in memory by the browser may be somebody else's by now: nothing of it is seen, the server is asked again.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  document.documentElement.hidden = true;
  location.reload();
});

createAll(SkipLink);
createAll(ErrorSummary);

const tabs = "BroadcastChannel" in window ? new BroadcastChannel("letterbox") : undefined;
let live: LivePage | undefined;
const keeper = keepSession(tabs, () => live?.stop());
quickExit(tabs, () => {
  live?.stop();
  forgetDrafts(sessionStorage);
});
const session = document.querySelector<HTMLElement>("[data-session]");
if (session?.dataset["computer"] === "private") keepDrafts(sessionStorage, session.dataset["drafts"] ?? "");
for (const form of document.querySelectorAll<HTMLFormElement>('form[action="/sign-out"]')) {
  form.addEventListener("submit", () => forgetDrafts(sessionStorage));
}
// Nobody is signed in here any more: pages of the same browser that are still open find out now.
if (location.pathname === "/signed-out") tabs?.postMessage({ t: "ended" });

const root = document.querySelector<HTMLElement>("[data-live]");
if (root) live = new LivePage(root, () => (keeper ? keeper.ended() : location.reload()));
// The page works: `old_browser.js` has nothing to say.
document.documentElement.setAttribute("data-app", "running");
