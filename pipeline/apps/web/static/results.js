// Search results: one list, several scenes one below the other, or two searches side by side.
//
// A view is {question, sections, columns}; a section is {question, answer, unexplained, wrong, note}. `unexplained` is the
// form data to request the reasons with, `wrong` the error if there is no answer, `note` a remark.

import { isBySound } from "./question.js";
import { reasons, isAboveUnseen } from "./reasons.js";
import { element, isolated, listed } from "./small.js";
import { card } from "./track.js";

const TENTHS = 10;

const byId = (id) => document.getElementById(id);

// Shows the sections of a view; `actsOn(section)` returns the actions of its cards.
export function showSections(view, actsOn) {
  const lists = byId("tracks");
  lists.classList.toggle("columns", Boolean(view?.columns));
  lists.replaceChildren(...(view?.sections ?? []).map((section, place) => list(section, view, place, actsOn(section))));
  describe(view);
  explainPlaces(view);
}

export function describe(view) {
  byId("said").textContent = view?.sections.length === 1 ? described(view.sections[0]) : "";
}

function list(section, view, place, acts) {
  const box = element("section", "list");
  const tracks = element("ol", "tracks");
  if (view.sections.length > 1) {
    const name = element("h3");
    name.id = `list-${place}`;
    name.append(...titled(titleOf(section)));
    box.setAttribute("aria-labelledby", name.id);
    box.append(name, section.wrong ? element("p", "error", section.wrong) : element("p", "said", described(section)));
  }
  tracks.append(...(section.answer?.tracks ?? []).map((track) => card(track, section, acts)));
  box.append(tracks);
  return box;
}

// Adds the reasons, which arrive after the tracks.
export function showReasons(view, section) {
  const box = byId("tracks").querySelectorAll(".list")[view.sections.indexOf(section)];
  const boxes = box.querySelectorAll(".why");
  section.answer.tracks.forEach((track, place) => boxes[place]?.replaceWith(reasons(track)));
  explainPlaces(view);
}

function explainPlaces(view) {
  byId("places").hidden = !view?.sections.some(({ answer }) => answer?.tracks.some(isAboveUnseen));
}

// ---- words

// the title of a section: strings, and untrusted names as {name}
export function titleOf({ question, answer }) {
  const count = answer?.tracks.length ?? 0;
  const tracks = count === 1 ? "1 track" : `${count} tracks`;
  const [first, ...others] = [...(question.sound ? [question.sound.name] : []), ...question.like.map(({ label }) => label)];
  const like = [{ name: first }, others.length ? ` and ${others.length} more` : ""];
  if (isBySound(question)) return [`${tracks} like `, ...like];
  const whose = [`${tracks} for `, { name: question.film?.title ?? question.scene ?? "your film" }];
  return first ? [...whose, ", like ", ...like] : whose;
}

export const titled = (title) => title.map((part) => (typeof part === "string" ? part : isolated(part.name)));

function described({ question, answer, note }) {
  if (note) return note;
  const { model, unused, tracks } = answer;
  const parts = isBySound(question)
    ? [`Compared by sound only, with model ${model.name}: ${model.chosen}.`]
    : [`Model ${model.name} reads ${listed(model.needs)}: ${model.chosen}.`];
  if (!isBySound(question)) parts.push(...sureness(model));
  if (unused.length) parts.push(`Not used: ${listed(unused)}.`);
  if (!tracks.length) parts.push(nothingLeft(answer.filtered));
  return parts.join(" ");
}

function nothingLeft(filtered) {
  if (!filtered || filtered.tracks) return "No tracks left: leave out fewer films.";
  const alone = Object.entries(filtered.alone).map(([name, count]) => `${name} ${count.toLocaleString("en")}`);
  return `No track passes all filters. Tracks that pass each filter alone: ${alone.join(", ")}.`;
}

// how reliable the model is: its hit rate on the test set
function sureness({ hit_rate_at_10: rate, chance_hit_rate_at_10: chance, films }) {
  if (rate === null || rate === undefined) return [];
  const beside = chance === null ? "" : ` (${tenths(chance)} by chance)`;
  return [`For ${tenths(rate)} of the ${films} test films, one of the film's own tracks is in its top 10${beside}.`];
}

function tenths(share) {
  const count = Math.round(TENTHS * share);
  if (count === 0) return "fewer than 1 in 10";
  return count === TENTHS && share < 1 ? "more than 9 in 10" : `${count} in 10`;
}
