/** The frames of `letterbox.v1` as this browser understands them. Unknown kinds and fields are ignored. */

export interface Box {
  b: string;
  pos: string;
  res: "live" | "catchup" | "reset";
}

export type Frame =
  | { t: "ok"; ping: number; ttl: number; boxes: Box[] }
  | { t: "ev"; n: number; b: string; c: string; e: { id: string; k: string; item?: string } }
  | { t: "reset"; b: string; c?: string }
  | { t: "gone"; b: string }
  | { t: "dirty"; b: string }
  | { t: "rxok"; id: string }
  | { t: "p"; c?: Record<string, string> }
  | { t: "drain"; after: number };

const KNOWN = new Set(["ok", "ev", "reset", "gone", "dirty", "rxok", "p", "drain"]);

/** Reads one text frame; `undefined` for anything that this version does not know. */
export function read(text: string): Frame | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  return KNOWN.has(String((value as { t?: unknown }).t)) ? (value as Frame) : undefined;
}
