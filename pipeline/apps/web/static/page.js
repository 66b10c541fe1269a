// The page: asks this server's API and shows what it answers. What comes from films, files or users gets into the page
// as text alone (textContent), never as markup.

import { reasons, isAboveUnseen } from "./reasons.js";
import { button, element, isolated, listed, megabytes } from "./small.js";
import { card, label } from "./track.js";

const FIELDS = { image: "Image", tags: "Tags", plot: "Synopsis", k: "Tracks", per_film: "Per film" }; // as the form calls them
const SLOW = 1500; // ms after which it is said why an answer takes so long

const byId = (id) => document.getElementById(id);
const form = byId("ask");
const results = byId("results");
const heading = byId("results-heading");
const NOTHING = { title: [heading.textContent, ""], said: byId("said").textContent }; // before the first search

let poster = null; // of an example film, in place of a file: {fid, title, image}
let leftOut = []; // films and albums: {id, name}
let views = []; // the answers that were shown: {title: [words, name], question, answer, unexplained: what to ask reasons with}
let shown = -1; // which of them is on the page
let earlier = false; // it is no answer to the last question, which failed
let asking = null; // AbortController of the question on its way
let changed = false; // the form, since it last became a question

// ---- the question

function questionFromForm() {
  const file = byId("image").files[0];
  return {
    fields: {
      image: poster ? undefined : file,
      example: poster?.fid,
      tags: byId("tags").value,
      plot: byId("plot").value,
    },
    film: poster && !changed ? poster : null,
  };
}

function body(question) {
  const data = new FormData();
  for (const [name, value] of Object.entries(question.fields)) if (value) data.append(name, value);
  for (const name of ["variant", "k", "per_film"]) data.append(name, form.elements[name].value);
  data.append("library", question.library ?? form.elements.library.value);
  for (const film of leftOut) data.append("exclude", film.id);
  return data;
}

function titleOf(question, count) {
  const tracks = count === 1 ? "1 track" : `${count} tracks`;
  if (question.like) return [`${tracks} like `, question.like];
  return [`${tracks} for `, question.film ? question.film.title : "your film"];
}

async function search(question) {
  asking?.abort();
  asking = new AbortController();
  const mine = asking;
  for (const audio of document.querySelectorAll("audio")) audio.pause();
  busy(true);
  try {
    const data = body(question);
    const answer = await answered(data, mine.signal);
    const unexplained = question.like ? null : data;
    views = [...views.slice(0, shown + 1), { title: titleOf(question, answer.tracks.length), question, answer, unexplained }];
    history.pushState({ view: views.length - 1 }, "");
    show(views.length - 1);
    tellWhy(views.at(-1));
  } catch (error) {
    if (!mine.signal.aborted) fail(error.message);
  } finally {
    if (asking === mine) busy(false);
  }
}

async function answered(data, signal) {
  const response = await fetch("/api/recommend", { method: "POST", body: data, signal }).catch(() => {
    throw new Error("The server does not answer. Is it still running?");
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

// The reasons take longer than the tracks, which nobody has to wait for.
async function tellWhy(view) {
  const data = view.unexplained;
  if (!data) return;
  view.unexplained = null;
  data.append("why", "true");
  try {
    view.answer = await answered(data);
  } catch {
    return; // the tracks are there, and the next question will say what is wrong
  }
  if (view !== views[shown]) return;
  const boxes = byId("tracks").querySelectorAll(".why");
  view.answer.tracks.forEach((track, place) => boxes[place].replaceWith(reasons(track)));
  explainPlaces();
}

// ---- states

let slow;

function busy(on) {
  results.setAttribute("aria-busy", String(on));
  form.querySelector("[type=submit]").textContent = on ? "Searching …" : "Find music";
  clearTimeout(slow);
  offerExports(!on && !earlier);
  if (!on) return;
  complain("");
  slow = setTimeout(() => explainWait(asking), SLOW);
}

async function explainWait(search) {
  byId("said").textContent = "Searching …";
  const libraries = await fetch("/api/libraries").then((response) => (response.ok ? response.json() : [])).catch(() => []);
  const isFirst = libraries.length && libraries.every(({ tracks }) => tracks === null); // none was searched yet
  if (!isFirst || search !== asking || results.getAttribute("aria-busy") !== "true") return;
  byId("said").textContent = "Searching … The first answer after the start takes some seconds: the networks are being loaded.";
}

function fail(message) {
  earlier = shown >= 0;
  nameResults();
  complain(message);
}

function complain(message) {
  const box = byId("error");
  const name = message.split(":")[0];
  box.textContent = FIELDS[name] ? FIELDS[name] + message.slice(name.length) : message;
  box.hidden = !message;
  for (const field of Object.keys(FIELDS)) {
    const input = form.elements[field] ?? byId(field);
    input.setAttribute("aria-invalid", String(field === name));
    input.setAttribute("aria-errormessage", "error");
  }
  if (!message) return;
  describe();
  box.scrollIntoView({ block: "nearest" });
}

function show(index) {
  shown = index;
  earlier = false;
  const view = views[index];
  complain("");
  nameResults();
  describe();
  explainPlaces();
  offerExports(true);
  const back = byId("back");
  back.hidden = index < 1;
  back.replaceChildren(...(index < 1 ? [] : ["Back to ", ...titled(views[index - 1])]));
  byId("models").hidden = index >= 0;
  byId("tracks").replaceChildren(...(view?.answer.tracks ?? []).map((track) => card(track, view, actsOn(view))));
  heading.focus();
  heading.scrollIntoView({ block: "nearest" });
}

function actsOn(view) {
  return {
    similar: (track) =>
      search({ fields: { like: String(track.row) }, like: label(track), library: view.answer.library, film: null }),
    leaveOut: (film) => {
      leaveOut([...leftOut, film]);
      search(view.question);
    },
  };
}

function titled(view) {
  const [words, name] = view?.title ?? NOTHING.title;
  return name ? [words, isolated(name)] : [words];
}

function nameResults() {
  results.classList.toggle("earlier", earlier);
  heading.replaceChildren(...(earlier ? ["From the previous search: "] : []), ...titled(views[shown]));
}

function explainPlaces() {
  byId("places").hidden = !views[shown]?.answer.tracks.some(isAboveUnseen);
}

function describe() {
  if (shown < 0) {
    byId("said").textContent = NOTHING.said;
    return;
  }
  const { question, answer } = views[shown];
  const { model, unused, tracks } = answer;
  const parts = question.like
    ? [`Compared by their sound alone, as model ${model.name} hears it: ${model.chosen}.`]
    : [`Model ${model.name}, which reads ${listed(model.needs)}: ${model.chosen}.`];
  if (!question.like && model.recall_at_10 !== null) {
    const share = Math.round(100 * model.recall_at_10);
    parts.push(`In its evaluation ${share} % of a film’s own tracks were among the first ten.`);
  }
  if (unused.length) parts.push(`Not used: ${listed(unused)}.`);
  if (!tracks.length) parts.push("No track is left: leave out fewer films.");
  byId("said").textContent = parts.join(" ");
}

// Links that save the tracks; while these are no answer to the last question, they lead nowhere.
function offerExports(live) {
  const { tracks = [], library } = views[shown]?.answer ?? {};
  byId("exports").hidden = !tracks.length;
  for (const link of byId("exports").querySelectorAll("a")) {
    link.setAttribute("aria-disabled", String(!live));
    link.removeAttribute("href");
    if (live) link.href = exportOf(link.dataset.format, tracks, library);
  }
}

function exportOf(format, tracks, library) {
  const query = new URLSearchParams({ format, library });
  for (const track of tracks) {
    query.append("row", track.row);
    query.append("score", track.score.toFixed(4));
  }
  return `/api/export?${query}`;
}

// ---- what the form shows

function setPoster(film) {
  poster = film;
  byId("image").value = "";
  preview(film?.image, film ? `Poster of ${film.title}` : "");
}

function setFile(file) {
  const most = Number(form.dataset.maxBytes);
  if (file.size > most) {
    complain(`image: ${file.name} has ${megabytes(file.size)} MB, at most ${megabytes(most)} MB are taken`);
    byId("image").value = "";
    return;
  }
  poster = null;
  complain("");
  preview(URL.createObjectURL(file), file.name);
}

function preview(source, name) {
  const image = byId("preview");
  if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
  image.hidden = byId("no-image").hidden = !source;
  for (const film of document.querySelectorAll(".example")) {
    if (film.dataset.fid === poster?.fid) film.setAttribute("aria-current", "true");
    else film.removeAttribute("aria-current");
  }
  byId("image-hint").hidden = Boolean(source);
  byId("drop").classList.toggle("filled", Boolean(source));
  byId("image-name").textContent = name || "Choose a poster or a still";
  if (source) image.src = source;
  else image.removeAttribute("src");
}

function leaveOut(films) {
  leftOut = films;
  byId("left-out").hidden = !films.length;
  byId("chips").replaceChildren(
    ...films.map((film) => {
      const item = element("li");
      item.append(isolated(film.name), button("Bring back", `Bring back ${film.name}`, () => {
        leaveOut(leftOut.filter((other) => other !== film));
        if (shown >= 0) search(views[shown].question);
      }));
      return item;
    }),
  );
}

// ---- what people do

form.addEventListener("submit", (event) => {
  event.preventDefault();
  search(questionFromForm());
});

form.addEventListener("reset", () => {
  setPoster(null);
  leaveOut([]);
  complain("");
});

form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  form.requestSubmit();
});

form.addEventListener("input", () => {
  changed = true;
});

byId("image").addEventListener("change", ({ target }) => target.files[0] && setFile(target.files[0]));
byId("no-image").addEventListener("click", () => {
  setPoster(null);
  changed = true;
  byId("image").focus();
});
byId("library").addEventListener("change", () => leaveOut([])); // its films are others
byId("back").addEventListener("click", () => history.back());

for (const film of document.querySelectorAll(".example")) {
  film.addEventListener("click", () => {
    const { fid, title, tags, plot, image } = film.dataset;
    byId("tags").value = tags;
    byId("plot").value = plot;
    setPoster({ fid, title, image });
    changed = false;
    search(questionFromForm());
  });
}

byId("preview").addEventListener("error", () => {
  byId("preview").hidden = true; // no picture, which the server will say
});

const drop = byId("drop");
drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (!event.dataTransfer.files.length) return;
  byId("image").files = event.dataTransfer.files;
  changed = true;
  setFile(byId("image").files[0]);
});

// one player at a time; play does not bubble, so it is caught on its way down
document.addEventListener("play", ({ target }) => {
  for (const audio of document.querySelectorAll("audio")) if (audio !== target) audio.pause();
}, true);

window.addEventListener("popstate", ({ state }) => {
  asking?.abort();
  busy(false);
  show(views[state?.view] ? state.view : -1);
});
history.replaceState(null, "");
form.querySelector("[type=submit]").disabled = false; // until here, the browser itself would send the form
