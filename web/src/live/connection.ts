/**
 * One live connection of one page: ticket, socket, hello, cursors, liveness, back-off.
 * Tells the page *that* something has changed, never what: the page asks by HTTPS.
 */

import { afterClose, HEALTHY_AFTER, wait, waitOnReturn } from "./backoff.ts";
import { read, type Frame } from "./frames.ts";

/** What the world outside must provide; tests provide their own. */
export interface World {
  ticket(): Promise<Ticket>;
  open(): Socket;
  random(): number;
  after(milliseconds: number, run: () => void): number;
  cancel(timer: number): void;
  now(): number;
}

export type Ticket = { kind: "ticket"; ticket: string } | { kind: "sign-in" } | { kind: "later"; after: number };

export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: string }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(text: string): void;
  close(): void;
}

/** What the page is told. */
export interface Page {
  /** Something in this box has changed; `event` is to be confirmed by `shown` once it is on the screen. */
  changed(box: string, event?: string): void;
  /** This box is no longer ours to see: take it off the screen now. */
  gone(box: string): void;
  connected(): void;
  reconnecting(): void;
  signedOut(): void;
}

/** Silence beyond a ping and this much means that nobody is there. */
const GRACE = 10_000;
/** A hidden page keeps its socket so long. */
const HIDDEN = 60_000;
/** Events whose ids are remembered, so that one sent twice counts once. */
const REMEMBERED = 1_000;
/** Acks are lazy: one at most so often. */
const ACK_EVERY = 1_000;

export class Connection {
  private socket: Socket | undefined;
  private positions: Record<string, string> = {};
  private seen = new Set<string>();
  private unsent = new Map<string, { ev: string }>();
  private lastNumber = 0;
  private ackWanted = false;
  private failures = 0;
  private connectedAt = 0;
  private heardAt = 0;
  private ping = 25_000;
  private stopped = false;
  private hidden = false;
  private retry = 0;
  private liveness = 0;
  private hiding = 0;
  private ackTimer = 0;
  private attempt = 0;

  constructor(
    private readonly world: World,
    private readonly page: Page,
  ) {}

  start(): void {
    void this.connect();
  }

  /** The page has gone out of sight, or come back. */
  setHidden(hidden: boolean): void {
    if (this.hidden === hidden) return;
    this.hidden = hidden;
    this.world.cancel(this.hiding);
    if (hidden) {
      this.send({ t: "bg" });
      this.hiding = this.world.after(HIDDEN, () => this.leave());
    } else {
      this.comeBack();
    }
  }

  /** The browser says that it has a network again, or the page is in view again. A live socket is left alone. */
  comeBack(): void {
    if (this.stopped || this.hidden) return;
    if (this.socket) {
      // A socket may have died in our sleep without saying so; timers slept too, so the clock is asked.
      if (this.world.now() - this.heardAt <= this.ping + GRACE) return;
      this.socket.close();
      this.forget();
    }
    this.page.reconnecting();
    this.schedule(waitOnReturn(() => this.world.random()));
  }

  /** The event is on the screen. Kept until the server has stored it. */
  shown(event: string, receipt: string): void {
    this.unsent.set(receipt, { ev: event });
    this.send({ t: "rx", id: receipt, ev: event, k: "shown" });
  }

  stop(): void {
    this.stopped = true;
    this.leave();
  }

  private leave(): void {
    const socket = this.socket;
    this.forget();
    socket?.close();
    this.world.cancel(this.retry);
  }

  private async connect(): Promise<void> {
    const attempt = ++this.attempt;
    let ticket: Ticket;
    try {
      ticket = await this.world.ticket();
    } catch {
      ticket = { kind: "later", after: 0 };
    }
    if (attempt !== this.attempt || this.stopped || this.hidden) return;
    if (ticket.kind === "sign-in") return this.end(() => this.page.signedOut());
    if (ticket.kind === "later") return this.failed(ticket.after);
    this.listen(ticket.ticket);
  }

  private listen(ticket: string): void {
    const socket = this.world.open();
    this.socket = socket;
    this.heardAt = this.world.now();
    this.expectWithin(GRACE);
    socket.onopen = () => {
      if (this.socket === socket) this.send({ t: "hi", ticket, pos: this.positions });
    };
    socket.onmessage = (event) => {
      if (this.socket === socket) this.received(event.data);
    };
    socket.onclose = (event) => {
      if (this.socket === socket) this.closed(event.code);
    };
  }

  private received(text: string): void {
    this.heardAt = this.world.now();
    this.expectWithin(this.ping + GRACE);
    const frame = read(text);
    if (!frame) return;
    this.handle(frame);
  }

  private handle(frame: Frame): void {
    switch (frame.t) {
      case "ok":
        return this.welcomed(frame);
      case "ev":
        return this.happened(frame);
      case "reset":
        if (frame.c) this.positions[frame.b] = frame.c;
        else delete this.positions[frame.b];
        return this.page.changed(frame.b);
      case "dirty":
        return this.page.changed(frame.b);
      case "gone":
        delete this.positions[frame.b];
        return this.page.gone(frame.b);
      case "rxok":
        this.unsent.delete(frame.id);
        return;
      case "p":
        Object.assign(this.positions, frame.c ?? {});
        return this.send({ t: "p" });
      case "drain":
        // The server is about to leave; it closes when our slot has come. Nothing to do but to come back then.
        return;
    }
  }

  private welcomed(frame: Extract<Frame, { t: "ok" }>): void {
    this.connectedAt = this.world.now();
    this.lastNumber = 0;
    this.ping = Math.min(Math.max(frame.ping, 1), 120) * 1_000;
    this.expectWithin(this.ping + GRACE);
    for (const box of frame.boxes) {
      this.positions[box.b] = box.pos;
      // Between the page's rendering and this moment something may have happened: ask once.
      this.page.changed(box.b);
    }
    for (const [id, receipt] of this.unsent) this.send({ t: "rx", id, ev: receipt.ev, k: "shown" });
    this.page.connected();
  }

  private happened(frame: Extract<Frame, { t: "ev" }>): void {
    const gap = frame.n !== this.lastNumber + 1;
    this.lastNumber = frame.n;
    this.positions[frame.b] = frame.c;
    this.acknowledge();
    if (this.seen.has(frame.e.id) && !gap) return;
    this.remember(frame.e.id);
    this.page.changed(frame.b, frame.e.id);
  }

  private remember(event: string): void {
    this.seen.add(event);
    if (this.seen.size > REMEMBERED) {
      const oldest = this.seen.values().next();
      if (!oldest.done) this.seen.delete(oldest.value);
    }
  }

  private acknowledge(): void {
    if (this.ackWanted) return;
    this.ackWanted = true;
    this.ackTimer = this.world.after(ACK_EVERY, () => {
      this.ackWanted = false;
      this.send({ t: "ack", n: this.lastNumber });
    });
  }

  private closed(code: number): void {
    const healthy = this.connectedAt > 0 && this.world.now() - this.connectedAt >= HEALTHY_AFTER;
    this.forget();
    switch (afterClose(code)) {
      case "sign-in":
        return this.end(() => this.page.signedOut());
      case "stop":
        return this.end(() => this.page.reconnecting());
      case "retry":
        if (healthy) this.failures = 0;
        return this.failed(0);
    }
  }

  private end(tell: () => void): void {
    this.stopped = true;
    tell();
  }

  /** `least`: what the server asked for with Retry-After, in milliseconds. */
  private failed(least: number): void {
    this.page.reconnecting();
    this.schedule(least + wait(this.failures, () => this.world.random()));
    this.failures += 1;
  }

  private schedule(milliseconds: number): void {
    this.world.cancel(this.retry);
    if (this.stopped || this.hidden) return;
    this.retry = this.world.after(milliseconds, () => void this.connect());
  }

  /** Any frame counts as life; without one in time the socket is given up. */
  private expectWithin(milliseconds: number): void {
    this.world.cancel(this.liveness);
    this.liveness = this.world.after(milliseconds, () => {
      const socket = this.socket;
      this.forget();
      socket?.close();
      this.failed(0);
    });
  }

  private forget(): void {
    this.attempt += 1;
    this.socket = undefined;
    this.connectedAt = 0;
    this.ackWanted = false;
    this.world.cancel(this.liveness);
    this.world.cancel(this.ackTimer);
  }

  private send(frame: object): void {
    if (!this.socket) return;
    try {
      this.socket.send(JSON.stringify(frame));
    } catch {
      // Still opening or already closing: `onclose` or the liveness timer will tell.
    }
  }
}
