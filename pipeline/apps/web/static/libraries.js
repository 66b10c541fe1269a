// The libraries dialog: all libraries, their indexing progress and their contents.

import { drawIcons } from "./icons.js";
import { createLibrary, isRunning, stepOf } from "./library.js";
import { element } from "./small.js";

const EVERY = 1500; // ms between two requests while something is in progress

const byId = (id) => document.getElementById(id);
const dialog = byId("libraries");
const select = byId("library");
const shown = new Map(); // the dialog's sections, by library name
let known = []; // libraries from the API
let timer = 0;

async function answered(path, options = {}) {
  const response = await fetch(path, options).catch(() => {
    throw new Error("The server is not responding. Is it still running?");
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

const pathOf = (name) => `/api/libraries/${encodeURIComponent(name)}`;

// Updates the states, and repeats while a library is being indexed or scanned.
async function look() {
  clearTimeout(timer);
  const before = new Map(known.map((library) => [library.name, library]));
  known = await answered("/api/indexing").catch(() => known);
  for (const library of known) {
    const ended = isRunning(before.get(library.name)) && !isRunning(library);
    if (ended) end(library);
  }
  offer();
  byId("libraries-open").textContent = `Libraries${known.some(isRunning) ? " (indexing …)" : changed()}`;
  if (dialog.open) show();
  if (known.some(isRunning) || (dialog.open && known.some(isLookedThrough))) timer = setTimeout(look, EVERY);
}

const isLookedThrough = ({ refusal, reachable, changes, searchable }) => !refusal && reachable && searchable && !changes;

function changed() {
  const count = known.reduce((sum, { changes }) => sum + (changes ? changes.new + changes.changed + changes.removed : 0), 0);
  return count ? ` (${count.toLocaleString("en")} changed)` : "";
}

function end(library) {
  const { name, state } = library;
  say(state === "done" ? `${name} is indexed and can be searched.` : `Indexing ${name} failed.`);
  if (state === "done") document.dispatchEvent(new CustomEvent("indexed", { detail: name }));
  if (dialog.open) detail(name);
}

function say(text) {
  byId("libraries-said").textContent = text;
}

function complain(text) {
  byId("libraries-error").textContent = text;
  byId("libraries-error").hidden = !text;
}

// The form's libraries: those that cannot be searched yet are listed, but disabled.
function offer() {
  const options = new Map([...select.options].map((option) => [option.value, option]));
  for (const library of [...known].reverse()) {
    if (!options.has(library.name)) {
      const option = element("option");
      option.value = library.name;
      const next = known[known.indexOf(library) + 1];
      select.insertBefore(option, next ? options.get(next.name) : null);
      options.set(library.name, option);
    }
    const option = options.get(library.name);
    option.disabled = !library.searchable;
    option.textContent = library.searchable ? library.name : `${library.name} (${isRunning(library) ? "being indexed" : "not indexed"})`;
  }
  const first = known.find(({ searchable }) => searchable);
  if (first && !select.value) {
    select.value = first.name;
    select.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

// ---- the dialog

function show() {
  const isBusy = known.some(isRunning);
  for (const library of known) {
    if (!shown.has(library.name)) {
      shown.set(library.name, createLibrary(library.name, pathOf(library.name), begin));
      byId("libraries-list").append(shown.get(library.name).node);
    }
    shown.get(library.name).show(library, isBusy);
  }
}

async function detail(name) {
  answered(`${pathOf(name)}/indexing`).then(look, () => {}); // has its folder looked through
  const files = await answered(`${pathOf(name)}/files`).catch(() => null); // there may be no data set
  if (files) shown.get(name)?.fill(files);
}

async function begin(name, all) {
  complain("");
  try {
    const library = await answered(`${pathOf(name)}/indexing`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ all }),
    });
    known = known.map((other) => (other.name === name ? library : other));
    say(`${name}: ${stepOf(library)}`);
    show();
  } catch (error) {
    complain(error.message);
  }
  timer = setTimeout(look, EVERY / 3);
}

byId("libraries-open").addEventListener("click", async () => {
  complain("");
  dialog.showModal();
  byId("libraries-heading").focus();
  await look();
  for (const { name } of known) detail(name);
});
byId("libraries-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());

drawIcons(dialog);
look();
