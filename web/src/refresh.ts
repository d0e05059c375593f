/** Asks the server how the page stands now, one request at a time, and writes the answer into the page. */

import { apply, type Fields } from "./binding.ts";

export interface Refreshed {
  /** Rows that wait behind the "Show" bar. */
  held: Fields[];
  model: Fields;
}

export type Outcome = "fresh" | "unreachable" | "gone" | "signed-out";

export class Refresher {
  private running = false;
  private again = false;
  private last: Fields | undefined;

  constructor(
    private readonly source: string,
    private readonly done: (refreshed: Refreshed) => void,
    private readonly failed: (outcome: Exclude<Outcome, "fresh">) => void,
  ) {}

  /** Any number of calls while one is under way cost one more request. */
  ask(): void {
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    void this.run();
  }

  /** Puts the waiting rows into their lists. */
  showHeld(): void {
    if (this.last) this.done({ held: flat(apply(this.last, true)), model: this.last });
  }

  private async run(): Promise<void> {
    const outcome = await this.once();
    this.running = false;
    if (outcome !== "fresh") this.failed(outcome);
    if (this.again) {
      this.again = false;
      this.ask();
    }
  }

  private async once(): Promise<Outcome> {
    try {
      const answer = await fetch(this.source, { headers: { Accept: "application/json" }, cache: "no-store", redirect: "manual" });
      if (answer.status === 401) return "signed-out";
      if (answer.type === "opaqueredirect" || [403, 404].includes(answer.status)) return "gone";
      if (!answer.ok) return "unreachable";
      const model = (await answer.json()) as Fields;
      this.last = model;
      this.done({ held: flat(apply(model)), model });
      return "fresh";
    } catch {
      return "unreachable";
    }
  }
}

function flat(held: Map<string, Fields[]>): Fields[] {
  return [...held.values()].flat();
}
