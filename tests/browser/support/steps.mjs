// Tests that tell one story: each step stands on those before it.
import { test } from "node:test";

/** Answers `step(name, run)`: a test that is pointless, and so left out, once an earlier one of the same story has failed. */
export function story() {
  let broken = false;
  return (name, run) => test(name, async (context) => {
    if (broken) return context.skip("an earlier step failed");
    broken = true;
    await run();
    broken = false;
  });
}
