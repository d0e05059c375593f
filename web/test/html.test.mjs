// The HTML of every page, from sample data: what the tests of the server have just written to `build/samples` keeps to
// the standard. (How pages look, sound and are worked is the browser tests' business.)
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { HtmlValidate } from "html-validate";

const samples = fileURLToPath(new URL("../../build/samples", import.meta.url));
/** Fewer would mean that the samples are not what they were. */
const FEWEST = 60;

const validator = new HtmlValidate({
  root: true,
  extends: ["html-validate:standard"],
  rules: {
    // White space comes from the templates and says nothing; `<br>` and `<br/>` are both HTML.
    "no-trailing-whitespace": "off",
    "void-style": "off",
    // The design system names the roles of header and footer for old screen readers.
    "no-redundant-role": "off",
    "prefer-native-element": "off",
    // A row's template inside <template> is empty until the script fills it; axe-core looks at the filled ones.
    "empty-heading": "off",
    "wcag/h30": "off",
    "text-content": "off",
    // A question of the frequently asked ones is the title of its page.
    "long-title": "off",
  },
});

test("every page from sample data is valid HTML", async () => {
  const pages = (await readdir(samples)).filter((name) => name.endsWith(".html")).sort();
  assert.ok(pages.length >= FEWEST, `only ${pages.length} samples: run the tests of the server first (cargo test --lib samples)`);
  const wrong = [];
  for (const name of pages) {
    const { results } = await validator.validateString(await readFile(join(samples, name), "utf8"));
    for (const { messages } of results) for (const one of messages) wrong.push(`${name}:${one.line}: ${one.ruleId}: ${one.message}`);
  }
  assert.deepEqual(wrong, []);
});

test("the validator finds what is wrong", async () => {
  const report = await validator.validateString('<!DOCTYPE html><html lang="en"><head><title>x</title></head><body><p id="a">1<p id="a"><div></p></body></html>');
  assert.equal(report.valid, false);
});
