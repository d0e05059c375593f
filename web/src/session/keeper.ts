/**
 * Knows how long the reader stays signed in: warns before the end, and takes everything off the screen when it has come,
 * in every tab of this browser. The server decides; a page that is not sure hides itself and asks.
 */

/** What the world outside must provide; tests provide their own. */
export interface World {
  now(): number;
  after(milliseconds: number, run: () => void): number;
  cancel(timer: number): void;
  /** Seconds left, as the server says: `ended` when nobody is signed in, `unknown` when it does not answer. */
  left(): Promise<number | "ended" | "unknown">;
  /** The same, and somebody is here: the idle time starts again. */
  stay(): Promise<number | "ended" | "unknown">;
  /** To the other tabs of this browser; they hear it, we do not. */
  tell(word: Word): void;
}

/** What tabs tell each other: there may be nobody signed in any more; so many seconds are left. */
export type Word = { t: "ended" } | { t: "left"; left: number };

/** What the page does about it. */
export interface Screen {
  warn(seconds: number): void;
  calm(): void;
  /** Nothing is to be read until it is known who is there. */
  hide(): void;
  show(): void;
  /** Nobody is signed in: nothing of the page stays. */
  wipe(): void;
}

/** Somebody who types, scrolls or points is using the page: the server hears so at most once in so many milliseconds. */
const HEARD_EVERY = 60_000;
/** The warning's words are renewed so often. */
const COUNT = 15_000;
/** A session may have been ended from another device: an open page asks so often. */
const ASK = 60_000;
/** The server does not answer: ask again after so long; the page stays hidden meanwhile. */
const AGAIN = 5_000;

export class Keeper {
  private endsAt: number;
  private heardAt: number;
  private timer = 0;
  private asking = 0;
  private hidden = false;
  private gone = false;
  private warned = false;

  constructor(
    private readonly world: World,
    private readonly screen: Screen,
    left: number,
    private readonly warning: number,
    /** No socket of this page would hear of the end. */
    alone: boolean,
  ) {
    this.heardAt = world.now();
    this.endsAt = world.now() + left * 1_000;
    this.schedule();
    if (alone) this.askLater();
  }

  /** A key, a finger, the wheel. Not while the warning stands: that wants an answer. */
  used(): void {
    if (this.gone || this.warned || this.world.now() - this.heardAt < HEARD_EVERY) return;
    void this.stay();
  }

  /** The reader wants to stay. */
  async stay(): Promise<void> {
    this.heardAt = this.world.now();
    this.heard(await this.world.stay());
  }

  /** Another tab has said something. */
  told(word: Word): void {
    if (this.gone) return;
    if (word.t === "left") return this.extend(word.left);
    this.suspect();
  }

  /** The page is in view again; timers may have slept. */
  seen(): void {
    if (this.gone) return;
    if (this.world.now() >= this.endsAt) this.suspect();
    else void this.ask();
  }

  /** The server has said that nobody is signed in: the other tabs hear it too. */
  ended(): void {
    if (this.gone) return;
    this.gone = true;
    this.world.cancel(this.timer);
    this.world.cancel(this.asking);
    this.world.tell({ t: "ended" });
    this.screen.wipe();
  }

  /** There may be nobody signed in any more. What is on the screen goes first, the question comes after. */
  suspect(): void {
    if (!this.hidden) this.screen.hide();
    this.hidden = true;
    void this.ask();
  }

  private async ask(): Promise<void> {
    this.heard(await this.world.left());
  }

  private heard(answer: number | "ended" | "unknown"): void {
    if (this.gone) return;
    if (answer === "ended") return this.ended();
    if (answer === "unknown") {
      if (this.hidden) this.reschedule(AGAIN, () => void this.ask());
      return;
    }
    this.extend(answer);
    this.world.tell({ t: "left", left: answer });
  }

  private extend(left: number): void {
    this.endsAt = this.world.now() + left * 1_000;
    if (this.hidden) this.screen.show();
    this.hidden = false;
    if (this.warned && left > this.warning) {
      this.warned = false;
      this.screen.calm();
    }
    this.schedule();
  }

  private schedule(): void {
    const left = this.endsAt - this.world.now();
    const untilWarning = left - this.warning * 1_000;
    if (left <= 0) return this.reschedule(0, () => this.suspect());
    if (untilWarning > 0) return this.reschedule(untilWarning, () => this.schedule());
    this.warned = true;
    this.screen.warn(Math.ceil(left / 1_000));
    this.reschedule(Math.min(COUNT, left), () => this.schedule());
  }

  private reschedule(milliseconds: number, run: () => void): void {
    this.world.cancel(this.timer);
    this.timer = this.world.after(milliseconds, run);
  }

  private askLater(): void {
    this.asking = this.world.after(ASK, () => {
      if (this.gone) return;
      void this.ask();
      this.askLater();
    });
  }
}
