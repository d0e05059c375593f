/**
 * Brings a page up to date from JSON without building HTML from text: the server has rendered every row once,
 * and an empty one in a `<template>`; here only texts, addresses and visibility change.
 *
 * In HTML: `data-text="field"`, `data-if="field"`, `data-href`, `data-action`, `data-value`,
 * `data-disabled`, `data-tone`;
 * `<ul data-list="letters">` with `<template data-row="letters">`, rows keyed by `data-id`.
 */

export type Fields = Record<string, unknown>;

/** The tags' colours in the design system; nothing else may become part of a class name. */
const TONES = ["blue", "green", "grey", "red", "orange", "yellow", "purple", "pink", "white", "aqua-green"];

function text(value: unknown): string {
  return value === null || value === undefined ? "" : String(value);
}

/** Only addresses on this site. */
function address(value: unknown): string {
  const path = text(value);
  return path.startsWith("/") && !path.startsWith("//") ? path : "";
}

/** Every element below `root` that carries the attribute, leaving out the rows of lists: they have fields of their own. */
function* bound(root: ParentNode & Node, name: string): Iterable<[HTMLElement, string]> {
  const elements = root.querySelectorAll<HTMLElement>(`[data-${name}]`);
  for (const element of root instanceof HTMLElement && root.hasAttribute(`data-${name}`) ? [root, ...elements] : elements) {
    const list = element.closest("[data-list]");
    if (list && list !== element && root.contains(list) && list !== root) continue;
    yield [element, element.getAttribute(`data-${name}`) ?? ""];
  }
}

/** Writes the fields into the elements bound to them. A field that is not there leaves its elements alone. */
export function fill(root: ParentNode & Node, fields: Fields): void {
  for (const [element, field] of bound(root, "text")) {
    if (field in fields && element.textContent !== text(fields[field])) element.textContent = text(fields[field]);
  }
  for (const [element, field] of bound(root, "if")) {
    if (field in fields) element.hidden = !fields[field];
  }
  for (const [element, field] of bound(root, "href")) {
    if (field in fields) element.setAttribute("href", address(fields[field]));
  }
  for (const [element, field] of bound(root, "action")) {
    if (field in fields) element.setAttribute("action", address(fields[field]));
  }
  for (const [element, field] of bound(root, "value")) {
    if (field in fields) element.setAttribute("value", text(fields[field]));
  }
  for (const [element, field] of bound(root, "disabled")) {
    if (field in fields) element.toggleAttribute("disabled", Boolean(fields[field]));
  }
  for (const [element, field] of bound(root, "tone")) {
    if (!(field in fields)) continue;
    for (const tone of TONES) element.classList.toggle(`nhsuk-tag--${tone}`, tone === fields[field]);
  }
}

function rowFor(template: HTMLTemplateElement, fields: Fields): HTMLElement | undefined {
  const row = document.importNode(template.content, true).firstElementChild;
  if (!(row instanceof HTMLElement)) return undefined;
  row.dataset["id"] = text(fields["id"]);
  fillDeep(row, fields);
  return row;
}

/** Fields and the lists inside. */
function fillDeep(root: HTMLElement, fields: Fields): void {
  fill(root, fields);
  for (const [name, value] of Object.entries(fields)) {
    if (Array.isArray(value)) sync(root, name, value as Fields[]);
  }
}

/**
 * Makes the list `name` below `root` show exactly these rows, in this order, moving as little as possible.
 * A list with `data-hold` never gains rows by itself: they are returned, for the reader to ask for.
 */
export function sync(root: ParentNode & Node, name: string, rows: Fields[], showHeld = false): Fields[] {
  const list = root.querySelector<HTMLElement>(`[data-list="${CSS.escape(name)}"]`);
  const template = root.querySelector<HTMLTemplateElement>(`template[data-row="${CSS.escape(name)}"]`) ??
    document.querySelector<HTMLTemplateElement>(`template[data-row="${CSS.escape(name)}"]`);
  if (!list || !template) return [];
  const present = new Map([...list.children].map((row) => [(row as HTMLElement).dataset["id"] ?? "", row as HTMLElement]));
  const hold = list.hasAttribute("data-hold") && !showHeld && present.size > 0;
  const held: Fields[] = [];
  let place = list.firstElementChild;
  for (const fields of rows) {
    const id = text(fields["id"]);
    let row = present.get(id);
    present.delete(id);
    if (row) {
      fillDeep(row, fields);
    } else if (hold) {
      held.push(fields);
      continue;
    } else {
      row = rowFor(template, fields);
      if (!row) continue;
    }
    if (row === place) place = place.nextElementSibling;
    else list.insertBefore(row, place);
  }
  for (const row of present.values()) row.remove();
  return held;
}

/** Applies a whole view model; answers the rows that wait for the reader, list by list. */
export function apply(model: Fields, showHeld = false): Map<string, Fields[]> {
  fill(document, model);
  const held = new Map<string, Fields[]>();
  for (const [name, value] of Object.entries(model)) {
    if (!Array.isArray(value)) continue;
    const waiting = sync(document, name, value as Fields[], showHeld);
    if (waiting.length > 0) held.set(name, waiting);
  }
  return held;
}
