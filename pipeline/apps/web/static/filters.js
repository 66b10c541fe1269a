// The form's filters: the choices that a library offers, and those selected.

import { clock, element } from "./small.js";
import { FILTERS } from "./question.js";

const RANGES = { length: clock, tempo: String, loudness: String, year: String }; // formats of the bounds
const MANY = 24; // music tags shown
const MODES = ["major", "minor"];

const box = document.getElementById("filters");
const field = (name) => box.querySelector(`[data-filter=${name}]`);

// `chosen` has a question's texts by filter; filters without values in the library are hidden
export function showFilters(summary, chosen) {
  const { filters } = summary;
  for (const [name, written] of Object.entries(RANGES)) {
    const bounds = filters[name];
    field(name).hidden = !bounds;
    const [low, high] = field(name).querySelectorAll("input");
    [low.placeholder, high.placeholder] = (bounds ?? []).map((value) => written(Math.round(value)));
  }
  field("key").hidden = !filters.keys.length;
  fillKeys(filters.keys);
  field("vocals").hidden = !filters.vocals;
  field("music").hidden = !filters.music.length;
  fillMusic(filters.music, chosen.music);
  box.hidden = [...box.querySelectorAll("[data-filter]")].every((part) => part.hidden);
  setFilters(chosen);
}

function fillKeys(keys) {
  const of = (mode) => keys.filter(({ key }) => !mode || key.endsWith(mode));
  const option = (value, text, tracks) => new Option(`${text} (${tracks.toLocaleString("en")})`, value);
  const total = (found) => found.reduce((sum, { tracks }) => sum + tracks, 0);
  field("key")
    .querySelector("select")
    .replaceChildren(
      new Option("any", ""),
      ...MODES.filter((mode) => of(mode).length).map((mode) => option(mode, `any ${mode}`, total(of(mode)))),
      ...of("").map(({ key, tracks }) => option(key, key.replace("#", "♯"), tracks)),
    );
}

function fillMusic(music, chosen) {
  const wanted = new Set(listed(chosen));
  const shown = [...music.slice(0, MANY), ...music.slice(MANY).filter(({ tag }) => wanted.has(tag))];
  field("music")
    .querySelector("ul")
    .replaceChildren(
      ...shown.map(({ tag, tracks }) => {
        const item = element("li");
        const label = element("label", "tag");
        const tick = element("input");
        tick.type = "checkbox";
        tick.value = tag;
        label.append(tick, element("span", "", tag), element("small", "", tracks.toLocaleString("en")));
        item.append(label);
        return item;
      }),
    );
}

export function chosenFilters() {
  const chosen = Object.fromEntries(FILTERS.map((name) => [name, ""]));
  for (const name of Object.keys(RANGES)) {
    const [low, high] = [...field(name).querySelectorAll("input")].map((input) => input.value.trim());
    if (low || high) chosen[name] = `${low}..${high}`;
  }
  for (const name of ["key", "vocals"]) chosen[name] = field(name).querySelector("select").value;
  chosen.music = [...field("music").querySelectorAll("input:checked")].map((tick) => tick.value).join(", ");
  return chosen;
}

export function setFilters(chosen) {
  for (const name of Object.keys(RANGES)) {
    const inputs = field(name).querySelectorAll("input");
    const [low = "", high = ""] = chosen[name].split("..");
    [inputs[0].value, inputs[1].value] = [low, high];
  }
  for (const name of ["key", "vocals"]) field(name).querySelector("select").value = chosen[name];
  const wanted = new Set(listed(chosen.music));
  for (const tick of field("music").querySelectorAll("input")) tick.checked = wanted.has(tick.value);
  countFilters();
}

export function countFilters() {
  const count = Object.values(chosenFilters()).filter(Boolean).length;
  document.getElementById("filters-count").textContent = count ? `(${count})` : "";
  if (count) box.open = true;
}

const listed = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);
