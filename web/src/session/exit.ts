/**
 * The quick exit: what is on the screen goes first, then the session, then the page, which leaves no entry to come back to.
 * Pressing Escape three times does the same. Without this script the button is a form and works as well.
 */

import { leaveNothing } from "./browser.ts";

const PRESSES = 3;
/** The presses come within so many milliseconds of each other. */
const WITHIN = 2_000;

/** Counts presses of one key; answers how many more are wanted, 0 when it is time. */
export class Presses {
  private count = 0;
  private last = -Infinity;

  pressed(now: number): number {
    this.count = now - this.last <= WITHIN ? this.count + 1 : 1;
    this.last = now;
    const more = PRESSES - this.count;
    if (more <= 0) this.count = 0;
    return Math.max(0, more);
  }

  other(): void {
    this.count = 0;
  }
}

export function quickExit(channel: BroadcastChannel | undefined, beforeLeaving: () => void): void {
  const form = document.querySelector<HTMLFormElement>("form[data-exit]");
  if (!form) return;
  const csrf = form.querySelector<HTMLInputElement>("[name=csrf]")?.value ?? "";
  const elsewhere = form.dataset["exit"] ?? "";
  const words = document.querySelector("[data-exit-words]");
  const leave = (first: boolean) => {
    beforeLeaving();
    leaveNothing("");
    if (first) {
      // Sent even though the page is going; the server ends the session and has the browser forget.
      navigator.sendBeacon("/leave", new URLSearchParams({ csrf }));
      channel?.postMessage({ t: "leave" });
    }
    location.replace(elsewhere);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    leave(true);
  });
  const presses = new Presses();
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return presses.other();
    if (event.repeat) return;
    const more = presses.pressed(event.timeStamp);
    if (more === 0) leave(true);
    else if (words) words.textContent = `Press Escape ${more} more ${more === 1 ? "time" : "times"} to leave this website.`;
  });
  // The other tabs of this browser show the same person's things: they leave as well.
  channel?.addEventListener("message", (event: MessageEvent<{ t: string }>) => {
    if (event.data.t === "leave") leave(false);
  });
}
