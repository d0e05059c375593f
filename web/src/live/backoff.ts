/** How long to wait before the next try: full jitter, so that a thousand browsers never come back together. */

/** Longest wait, in milliseconds. */
const CEILING = 30_000;
/** Shortest wait after a failure. */
const FLOOR = 500;
/** A connection that lived this long was healthy: the next failure starts from the beginning. */
export const HEALTHY_AFTER = 30_000;
/** After coming back on line or into view: soon, but not all at once. */
const RETURN = 1_500;

/** A whole number of milliseconds below 2ⁿ half seconds, at least the floor. `random` gives [0, 1). */
export function wait(failures: number, random: () => number): number {
  const bound = Math.min(CEILING, FLOOR * 2 ** Math.min(failures, 16));
  return Math.round(Math.max(FLOOR, random() * bound));
}

/** The wait when the browser has just come back on line, or the page into view. */
export function waitOnReturn(random: () => number): number {
  return Math.round(random() * RETURN);
}

/** What a close code asks of us. */
export type AfterClose = "stop" | "sign-in" | "retry";

/** 4000 to 4099: stay away (4001: sign in first). Everything else: come back later, never at once. */
export function afterClose(code: number): AfterClose {
  if (code === 4001) return "sign-in";
  return code >= 4000 && code < 4100 ? "stop" : "retry";
}
