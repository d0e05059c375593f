#!/usr/bin/env node
// requirements.mjs LOG…: writes docs/requirements.md from docs/requirements.tsv and from what tests have just printed.
//
// A test shows a statement by carrying its number: `r26_3_…` in Rust, "R26.3 …" in JavaScript. Only tests that ran and
// passed count. Ends with 1 when a statement has neither a test nor a reason to wait, has both, or is not in the list.
import { readFileSync, writeFileSync } from "node:fs";

const LIST = "docs/requirements.tsv";
const PAGE = "docs/requirements.md";

/** Numbers at the front of a name: `r3_4_r3_6_an_opened…` → R3.4, R3.6. */
function numbers(name) {
  const front = name.match(/^(?:[rR]\d+[_.]\d+[a-z]?[_,\s:]+)+/)?.[0] ?? "";
  return [...front.matchAll(/[rR](\d+)[_.](\d+)/g)].map(([, question, part]) => `R${question}.${part}`);
}

/** Names of the tests that passed, as cargo and node print them. */
function passed(log) {
  const lines = log.replaceAll(/\u001b\[[0-9;]*m/g, "").split("\n");
  return lines.flatMap((line) => {
    const rust = line.match(/^test (\S+)(?: - should panic)? \.\.\. ok$/);
    if (rust) return [rust[1].split("::").at(-1)];
    const node = line.match(/^\s*✔ (.+?)(?: \([\d.]+ms\))?$/) ?? line.match(/^\s*ok \d+ - (.+?)(?: # .*)?$/);
    return node ? [node[1]] : [];
  });
}

const statements = readFileSync(LIST, "utf8").trimEnd().split("\n").map((line) => {
  const [number, text, later] = line.split("\t");
  return { number, text, later, tests: new Set() };
});
const known = new Map(statements.map((one) => [one.number, one]));
const complaints = [];
for (const file of process.argv.slice(2)) {
  for (const name of passed(readFileSync(file, "utf8"))) {
    for (const number of numbers(name)) {
      if (known.has(number)) known.get(number).tests.add(name);
      else complaints.push(`${name} shows ${number}, which is not in ${LIST}`);
    }
  }
}
for (const { number, later, tests } of statements) {
  if (tests.size === 0 && !later) complaints.push(`${number} has no test that passed, and no reason to wait`);
  if (tests.size > 0 && later) complaints.push(`${number} has a test: take its reason to wait out of ${LIST}`);
}

const row = ({ number, text, later, tests }) =>
  `| ${number} | ${text} | ${tests.size ? [...tests].sort().map((test) => `\`${test}\``).join("<br>") : `Later: ${later || "?"}`} |`;
const shown = statements.filter((one) => one.tests.size > 0).length;
writeFileSync(PAGE, `# What the portal must do, and which tests show it
Written by \`make test\` from docs/requirements.tsv and from the tests that ran and passed; never by hand.
${shown} of ${statements.length} statements are shown by tests; each other one says what it waits for.
The numbers are those of the portal's published questions and answers: R26.3 is the third statement of question 26.

| Number | Statement | Shown by |
|---|---|---|
${statements.map(row).join("\n")}
`);
for (const complaint of complaints) console.error(`requirements: ${complaint}`);
console.log(`requirements: ${shown} of ${statements.length} shown`);
process.exitCode = complaints.length ? 1 : 0;
