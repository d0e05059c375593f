/** The real world and screen behind `Keeper`: fetch, the dialog, the other tabs. */

import { Keeper, type Screen, type Word, type World } from "./keeper.ts";

const LEFT = "/account/sessions/left.json";
const STAY = "/account/sessions/stay";

type Answer = number | "ended" | "unknown";

async function asked(address: string, request: RequestInit): Promise<Answer> {
  try {
    const answer = await fetch(address, { ...request, headers: { Accept: "application/json" }, cache: "no-store", redirect: "manual" });
    if (answer.status === 401 || answer.status === 403) return "ended";
    if (!answer.ok) return "unknown";
    return ((await answer.json()) as { left: number }).left;
  } catch {
    return "unknown";
  }
}

/** `2 minutes`, `45 seconds`. */
export function span(seconds: number): string {
  if (seconds >= 90) return `${Math.round(seconds / 60)} minutes`;
  return seconds > 60 ? "about a minute" : `${seconds} seconds`;
}

class Dialog implements Screen {
  constructor(
    private readonly dialog: HTMLDialogElement,
    private readonly beforeWipe: () => void,
  ) {}

  warn(seconds: number): void {
    const words = this.dialog.querySelector("[data-staying-words]");
    if (words) words.textContent = `We will sign you out in ${span(seconds)}, because you have not used the portal for a while. What you have typed is not lost if you stay.`;
    if (!this.dialog.open) this.dialog.showModal();
  }

  calm(): void {
    this.dialog.close();
  }

  hide(): void {
    document.documentElement.hidden = true;
  }

  show(): void {
    document.documentElement.hidden = false;
  }

  wipe(): void {
    this.beforeWipe();
    const computer = this.dialog.dataset["computer"] === "public" ? "&computer=public" : "";
    const next = this.dialog.dataset["computer"] === "public" ? "" : `&next=${encodeURIComponent(location.pathname)}`;
    leaveNothing("You have been signed out");
    location.replace(`/signed-out?why=ended${computer}${next}`);
  }
}

/** Takes the whole page off the screen and out of memory; the words are all that stays. */
export function leaveNothing(words: string): void {
  const line = document.createElement("p");
  line.textContent = words;
  document.title = words || "Loading";
  document.body.replaceChildren(...(words ? [line] : []));
  document.documentElement.hidden = false;
}

/** Starts keeping the session of this page, if it has one. `beforeWipe` lets go of sockets and the like. */
export function keepSession(channel: BroadcastChannel | undefined, beforeWipe: () => void): Keeper | undefined {
  const dialog = document.querySelector<HTMLDialogElement>("dialog[data-session]");
  if (!dialog) return undefined;
  const csrf = dialog.dataset["csrf"] ?? "";
  const world: World = {
    now: () => Date.now(),
    after: (milliseconds, run) => window.setTimeout(run, milliseconds),
    cancel: (timer) => window.clearTimeout(timer),
    left: () => asked(LEFT, {}),
    stay: () => asked(STAY, { method: "POST", body: new URLSearchParams({ csrf }) }),
    tell: (word) => channel?.postMessage(word),
  };
  const alone = document.querySelector('[data-live="socket"]') === null;
  const [left, warning] = [Number(dialog.dataset["left"]), Number(dialog.dataset["warning"])];
  const keeper = new Keeper(world, new Dialog(dialog, beforeWipe), left, warning, alone);
  channel?.addEventListener("message", (event: MessageEvent<Word>) => keeper.told(event.data));
  dialog.querySelector("[data-stay]")?.addEventListener("click", () => void keeper.stay());
  // Escape closes a dialog; here it means the same as the button.
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    void keeper.stay();
  });
  for (const sign of ["keydown", "pointerdown", "wheel", "scroll"]) {
    window.addEventListener(sign, () => keeper.used(), { passive: true });
  }
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) keeper.seen();
  });
  return keeper;
}
