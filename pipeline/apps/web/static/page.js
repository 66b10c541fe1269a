// The page: sends searches to this server's API and shows the answers. Texts of films, files or users are inserted as
// text (textContent), never as markup. The question is in the address after #, so a link restores it.

import { exported, looked } from "./exchange.js";
import { change, fill, filesOf, listen, questionFromForm, settled } from "./form.js";
import { body, decoded, empty, encoded, found, hasUploads, isBySound, scenesOf } from "./question.js";
import { describe, showReasons, showSections, titled, titleOf } from "./results.js";
import { listenToKeys } from "./keys.js";
import { label } from "./naming.js";
import { createPlayer } from "./player.js";
import { createShortlist } from "./shortlist.js";

const FIELDS = {
  image: "Image", tags: "Tags", plot: "Synopsis", k: "Tracks", per_film: "Per film", sound: "Sounds like", length: "Length",
  tempo: "Tempo", loudness: "Loudness", year: "Year", key: "Key", music: "Music",
}; // labels in the form
const SLOW = 1500; // ms before a slow search is explained
const NAME = "soundtracks"; // of saved files
const BESIDE = "beside"; // address parameter: the other of two questions

const byId = (id) => document.getElementById(id);
const form = byId("ask");
const results = byId("results");
const heading = byId("results-heading");
const models = [...byId("variant").options].filter(({ value }) => value).map(modelOf);
const NOTHING = { title: [heading.textContent], said: byId("said").textContent }; // before the first search

const shortlist = createShortlist();
const player = createPlayer(shortlist);
let views = []; // previous views (results.js), each with its `address`
let shown = -1; // index of the current view
let earlier = false; // whether the view is from an earlier search, since the last one failed
let asking = null; // AbortController of the current requests
let pinned = null; // the section to compare with the next search

function modelOf({ value, dataset }) {
  return { name: value, needs: dataset.needs.split(" "), any_of: "anyOf" in dataset, recall: Number(dataset.recall) };
}

// ---- searching

async function search(question, put = "pushState") {
  asking?.abort();
  asking = new AbortController();
  const mine = asking;
  player.pause();
  busy(true);
  try {
    await settled();
    const scenes = question.scenes ? scenesOf(question, models) : [];
    const view = scenes.length > 1 ? await answeredScenes(question, scenes, mine.signal) : await answeredOne(question, mine.signal);
    if (mine.signal.aborted) return;
    views = [...views.slice(0, shown + 1), view];
    history[put]({ view: views.length - 1 }, "", `#${view.address}`);
    show(views.length - 1);
    explain(view);
  } catch (error) {
    if (!mine.signal.aborted) fail(error.message);
  } finally {
    if (asking === mine) busy(false);
  }
}

async function answeredOne(question, signal) {
  const section = await answeredSection({ ...question, scenes: false }, signal);
  const address = encoded(question, hasUploads(question) ? section.answer.tracks : []);
  if (!pinned) return { question, sections: [section], address };
  return { question, sections: [pinned, section], columns: true, address: `${address}&${BESIDE}=${encodeURIComponent(encoded(pinned.question))}` };
}

async function answeredScenes(question, scenes, signal) {
  const sections = [];
  for (const scene of scenes) {
    byId("said").textContent = `Searching for scene ${sections.length + 1} of ${scenes.length} …`;
    sections.push(await answeredSection(scene, signal).catch((error) => {
      if (signal.aborted) throw error;
      return { question: scene, answer: null, wrong: error.message };
    }));
  }
  if (sections.every(({ wrong }) => wrong)) throw new Error(sections[0].wrong);
  return { question, sections, address: encoded(question) };
}

async function answeredSection(question, signal) {
  const data = body(question, filesOf());
  return { question, answer: await answered(data, signal), unexplained: isBySound(question) ? null : data };
}

async function answered(data, signal) {
  const response = await fetch("/api/recommend", { method: "POST", body: data, signal }).catch(() => {
    throw new Error("The server is not responding. Is it still running?");
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

// Requests the reasons, which take longer, after the tracks are shown.
async function explain(view) {
  for (const section of view.sections.filter(({ unexplained }) => unexplained)) {
    const data = section.unexplained;
    section.unexplained = null;
    data.append("why", "true");
    try {
      section.answer = await answered(data);
    } catch {
      return; // the tracks are shown; the next search will report the error
    }
    if (view === views[shown]) showReasons(view, section);
  }
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
  if (!byId("said").textContent.startsWith("Searching")) byId("said").textContent = "Searching …";
  const libraries = await fetch("/api/libraries").then((response) => (response.ok ? response.json() : [])).catch(() => []);
  const isFirst = libraries.length && libraries.every(({ tracks }) => tracks === null); // not searched yet
  if (!isFirst || search !== asking || results.getAttribute("aria-busy") !== "true") return;
  byId("said").textContent = "Searching … The first search takes a few seconds, while the networks are loaded.";
}

function fail(message) {
  earlier = shown >= 0;
  describe(views[shown]);
  nameResults();
  complain(message);
}

function complain(message) {
  const box = byId("error");
  const name = message.split(":")[0];
  box.textContent = FIELDS[name] ? FIELDS[name] + message.slice(name.length) : message;
  box.hidden = !message;
  for (const field of Object.keys(FIELDS)) {
    const input = form.elements.namedItem(field) ?? byId(field);
    input?.setAttribute("aria-invalid", String(field === name));
    input?.setAttribute("aria-errormessage", "error");
  }
  if (message) box.scrollIntoView({ block: "nearest" });
}

function show(index) {
  shown = index;
  earlier = false;
  const view = views[index];
  complain("");
  showSections(view, actsOn);
  nameResults();
  offerExports(true);
  const back = byId("back");
  back.hidden = index < 1;
  back.replaceChildren(...(index < 1 ? [] : ["Back to ", ...titled(nameOf(views[index - 1]))]));
  byId("models").hidden = index >= 0;
  byId("pin").hidden = view?.sections.length !== 1;
  heading.focus();
  heading.scrollIntoView({ block: "nearest" });
}

function nameResults() {
  if (shown < 0) byId("said").textContent = NOTHING.said;
  results.classList.toggle("earlier", earlier);
  heading.replaceChildren(...(earlier ? ["From the previous search: "] : []), ...titled(nameOf(views[shown])));
}

function nameOf(view) {
  if (!view) return NOTHING.title;
  if (view.columns) return ["Side by side: ", ...view.sections.flatMap((section, place) => [...(place ? [" and "] : []), ...titleOf(section)])];
  return view.sections.length > 1 ? [`${view.sections.length} scenes`] : titleOf(view.sections[0]);
}

// the actions on the tracks of a section: each fills the form and starts a new search
function actsOn(section) {
  const again = async (part) => {
    const question = { ...section.question, ...part };
    await fill(question);
    search(question);
  };
  const taken = (track) => ({ row: track.row, path: track.path, start: track.file_start_seconds, label: label(track) });
  return {
    more: (track) => again({ like: [...section.question.like, taken(track)] }),
    less: (track) => again({ less: [...section.question.less, taken(track)] }),
    leaveOut: (film) => again({ exclude: [...section.question.exclude, film] }),
  };
}

function pin(section) {
  pinned = section;
  byId("pinned").hidden = !section;
  byId("pinned-name").replaceChildren(...(section ? titled(titleOf(section)) : []));
}

// Links that save the tracks; disabled while the view is from an earlier search.
function offerExports(live) {
  const sections = views[shown]?.sections ?? [];
  const { tracks = [], library } = sections[0]?.answer ?? {};
  byId("exports").hidden = !tracks.length;
  for (const link of byId("exports").querySelectorAll("a")) {
    link.setAttribute("aria-disabled", String(!live));
    link.removeAttribute("href");
    if (live) link.href = sections.length > 1 ? "#exports" : exportOf(link.dataset.format, tracks, library);
  }
}

// several lists are saved as one, each track with the query that found it
function saveAll(event) {
  const format = event.target.closest("a[href]")?.dataset.format;
  const { sections } = views[shown];
  if (!format || sections.length === 1) return;
  event.preventDefault();
  const items = sections.flatMap((section) => {
    const film = titleOf(section).map((part) => part.name ?? part).join("");
    return (section.answer?.tracks ?? []).map((track) => ({ library: section.answer.library, track, note: "", found: { film } }));
  });
  exported(format, items, NAME).catch((error) => complain(error.message));
}

function exportOf(format, tracks, library) {
  const query = new URLSearchParams({ format, library });
  for (const track of tracks) {
    query.append("row", track.row);
    query.append("score", track.score.toFixed(4));
  }
  return `/api/export?${query}`;
}

// ---- links

async function restore(address) {
  const question = await known(decoded(address));
  const beside = new URLSearchParams(address).get(BESIDE);
  const missing = await fill(question);
  question.library = form.elements.library.value;
  question.variant = form.elements.variant.value;
  if (missing.length) return void showFound(question, found(address), missing);
  pin(null);
  if (beside) {
    try {
      pin(await answeredSection(await known(decoded(beside))));
    } catch (error) {
      complain(error.message);
    }
  }
  await search(question, "replaceState");
  pin(null);
}

// a question with the current rows of its tracks
async function known(question) {
  const library = question.library || form.elements.library.value;
  const [like, less] = await Promise.all([question.like, question.less].map((tracks) => located(library, tracks)));
  return { ...question, like, less };
}

// Shows the tracks in a link whose image or sound is stored in another browser.
async function showFound(question, rows, missing) {
  const note = `This link was made with ${missing.join(" and ")}, stored only in the original browser. Add what is missing to search again.`;
  const tracks = (await located(question.library, rows)).map((track, place) => ({ ...track, rank: place + 1 }));
  const section = { question, answer: { tracks, library: question.library }, unexplained: null, note };
  views = [...views.slice(0, shown + 1), { question, sections: [section], address: location.hash.slice(1) }];
  history.replaceState({ view: views.length - 1 }, "");
  show(views.length - 1);
}

// the tracks of a library at `places` [{path, start, …}], with the other keys of each; tracks that no longer exist are omitted
async function located(library, places) {
  const items = places.map(({ path, start }) => ({ library, track: { path, file_start_seconds: start } }));
  const tracks = (await looked(items)) ?? [];
  return places.map((place, number) => tracks[number] && { ...place, ...tracks[number] }).filter(Boolean);
}

// ---- events

form.addEventListener("submit", (event) => {
  event.preventDefault();
  search(questionFromForm());
});

form.addEventListener("reset", (event) => {
  event.preventDefault();
  complain("");
  fill(empty());
});

form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  form.requestSubmit();
});

for (const film of document.querySelectorAll(".example")) {
  film.addEventListener("click", async () => {
    const { fid, title, tags, plot } = film.dataset;
    const now = questionFromForm();
    const kept = Object.fromEntries(["variant", "library", "k", "per_film", "filters", "exclude"].map((name) => [name, now[name]]));
    const question = { ...empty(), ...kept, tags, plot, film: { fid, title }, image: { fid, title } };
    await fill(question);
    search(question);
  });
}

byId("back").addEventListener("click", () => history.back());
byId("pin").addEventListener("click", () => pin(views[shown].sections[0]));
byId("exports").addEventListener("click", saveAll);
byId("unpin").addEventListener("click", () => pin(null));

// reindexing changes the rows of a library
document.addEventListener("indexed", ({ detail: library }) => {
  const view = views[shown];
  if (form.elements.library.value === library) change({ like: [], less: [] });
  if (!view?.sections.some(({ answer }) => answer?.library === library)) return;
  if (isBySound(view.question)) complain(`${library} has been reindexed: search again.`);
  else search({ ...view.question, like: [], less: [] }, "replaceState");
});

window.addEventListener("popstate", ({ state }) => {
  asking?.abort();
  busy(false);
  const view = views[state?.view];
  if (view || location.hash.length < 2) {
    if (view) fill(view.question);
    show(view ? state.view : -1);
  } else restore(location.hash.slice(1));
});

listenToKeys(player, shortlist);
listen({ complain, again: () => shown >= 0 && search(questionFromForm()) });
form.querySelector("[type=submit]").disabled = false; // disabled until now, since the browser itself would submit the form
if (location.hash.length > 1) restore(location.hash.slice(1));
else {
  history.replaceState(null, "");
  fill(questionFromForm());
}
