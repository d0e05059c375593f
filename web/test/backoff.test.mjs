import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { wait, waitOnReturn, afterClose } = await load("live/backoff.ts");

test("waits grow from half a second to half a minute, and are spread over the whole span", () => {
  assert.deepEqual([0, 1, 2, 3].map((failures) => wait(failures, () => 0.999999)), [500, 1000, 2000, 4000]);
  assert.equal(wait(50, () => 0.999999), 30_000);
  assert.equal(wait(50, () => 0), 500, "never at once");
  assert.equal(wait(6, () => 0.5), 15_000);
});

test("on return it is soon, but not for everybody at once", () => {
  assert.equal(waitOnReturn(() => 0), 0);
  assert.equal(waitOnReturn(() => 0.999999), 1_500);
});

test("close codes below 4100 mean stay away; everything else means come back later", () => {
  assert.equal(afterClose(4001), "sign-in");
  for (const code of [4003, 4005, 4029]) assert.equal(afterClose(code), "stop");
  for (const code of [1000, 1006, 1008, 4101, 4102, 4103, 4104, 4105]) assert.equal(afterClose(code), "retry");
});
