/**
 * Keeps what has been typed into unfinished forms, so that being signed out costs nothing: in this tab only, on private
 * devices only, and for the person who typed it only. Signing out and the quick exit forget everything.
 *
 * `data-no-draft` on a form keeps it out.
 */

const PREFIX = "draft:";
/** A form's draft is at most so long (characters); nothing of ours is longer. */
const LONGEST = 10_000;
const TYPED = ["text", "email", "tel", "search", "date", "number"];

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

function isKept(field: Element): field is Field {
  if (field instanceof HTMLTextAreaElement || field instanceof HTMLSelectElement) return field.name !== "";
  if (!(field instanceof HTMLInputElement) || field.name === "") return false;
  return TYPED.includes(field.type) || field.type === "checkbox" || field.type === "radio";
}

function isTyped(field: Element): boolean {
  return field instanceof HTMLTextAreaElement || (field instanceof HTMLInputElement && TYPED.includes(field.type));
}

function ticks(field: Field): field is HTMLInputElement {
  return field instanceof HTMLInputElement && (field.type === "checkbox" || field.type === "radio");
}

function fieldsOf(form: HTMLFormElement): Field[] {
  return [...form.elements].filter(isKept);
}

function read(form: HTMLFormElement): [string, string][] {
  return fieldsOf(form)
    .filter((field) => !ticks(field) || field.checked)
    .map((field) => [field.name, field.value]);
}

function write(form: HTMLFormElement, draft: [string, string][]): void {
  for (const field of fieldsOf(form)) {
    const values = draft.filter(([name]) => name === field.name).map(([, value]) => value);
    if (ticks(field)) field.checked = values.includes(field.value);
    else if (values[0] !== undefined) field.value = values[0];
  }
}

function forgetOthers(storage: Storage, owner: string): void {
  for (const key of Object.keys(storage)) {
    if (key.startsWith(PREFIX) && !key.startsWith(`${PREFIX}${owner}:`)) storage.removeItem(key);
  }
}

/** `owner` is the same for one person at every sign-in, and says nothing about them. */
export function keepDrafts(storage: Storage, owner: string): void {
  forgetOthers(storage, owner);
  for (const form of document.querySelectorAll<HTMLFormElement>('form[method="post"]:not([data-no-draft])')) {
    if (![...form.elements].some(isTyped)) continue;
    const key = `${PREFIX}${owner}:${location.pathname}:${form.getAttribute("action") ?? ""}`;
    const kept = storage.getItem(key);
    if (kept) write(form, JSON.parse(kept) as [string, string][]);
    form.addEventListener("input", () => {
      const draft = JSON.stringify(read(form));
      if (draft.length <= LONGEST) storage.setItem(key, draft);
    });
    form.addEventListener("submit", () => storage.removeItem(key));
  }
}

/** Nothing typed stays behind. */
export function forgetDrafts(storage: Storage): void {
  for (const key of Object.keys(storage)) {
    if (key.startsWith(PREFIX)) storage.removeItem(key);
  }
}
