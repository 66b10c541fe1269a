// The form: reads a question from its fields, and fills them from a link or an example.

import { chosenFilters, countFilters, setFilters, showFilters } from "./filters.js";
import { empty, PARTS } from "./question.js";
import { button, element, isolated, megabytes } from "./small.js";
import { kept, keep } from "./uploads.js";

const WEIGHTS = { 0: "ignored", 0.5: "half", 1: "normal", 1.5: "one and a half", 2: "double" };

const byId = (id) => document.getElementById(id);
const form = byId("ask");

let shown = empty(); // values without a field: image, film, sound, like, less, exclude
let files = {}; // of the image and the sound
let summaries = {}; // of libraries, by name
let uploading = Promise.resolve(); // resolved once the upload has its digest
let act = { complain: () => {}, again: () => {} };

export const filesOf = () => files;
export const settled = () => uploading;

export function questionFromForm() {
  return {
    ...shown,
    tags: byId("tags").value,
    plot: byId("plot").value,
    scenes: byId("scenes").checked,
    alone: byId("alone").checked,
    weights: Object.fromEntries(PARTS.map((part) => [part, Number(weight(part).value)])),
    filters: chosenFilters(),
    variant: form.elements.variant.value,
    library: form.elements.library.value,
    k: form.elements.k.value,
    per_film: form.elements.per_film.value,
  };
}

// Fills the form; returns the names of uploads that this browser no longer has.
export async function fill(question) {
  byId("tags").value = question.tags;
  byId("plot").value = question.plot;
  byId("scenes").checked = question.scenes;
  byId("alone").checked = question.alone;
  for (const part of PARTS) weight(part).value = question.weights[part];
  for (const name of ["variant", "library", "k", "per_film"]) form.elements[name].value = question[name];
  if (!form.elements.library.value) form.elements.library.selectedIndex = 0;
  shown = { ...question };
  files = { image: await kept(question.image), sound: await kept(question.sound) };
  byId("image").value = byId("sound").value = "";
  showImage();
  showSounds();
  showLeftOut();
  showWeights();
  await offerFilters(question.filters);
  return ["image", "sound"].filter((part) => question[part]?.digest && !files[part]).map((part) => question[part].name);
}

export function change(part) {
  shown = { ...shown, film: null, ...part };
  showSounds();
  showLeftOut();
}

// ---- image

function setFile(file, part, most) {
  if (file.size > most) {
    act.complain(`${part}: ${file.name} is ${megabytes(file.size)} MB; the limit is ${megabytes(most)} MB`);
    byId(part).value = "";
    return;
  }
  act.complain("");
  files = { ...files, [part]: file };
  shown = { ...shown, film: null, [part]: { digest: "", name: file.name } };
  if (part === "image") showImage();
  else showSounds();
  uploading = keep(file).then((upload) => {
    if (files[part] === file) shown = { ...shown, [part]: upload };
  });
}

function showImage() {
  const { image } = shown;
  const picture = byId("preview");
  if (picture.src.startsWith("blob:")) URL.revokeObjectURL(picture.src);
  const source = image?.fid ? `/api/examples/${image.fid}/image` : files.image ? URL.createObjectURL(files.image) : "";
  picture.hidden = !source;
  byId("no-image").hidden = !image;
  for (const film of document.querySelectorAll(".example")) {
    if (film.dataset.fid === image?.fid) film.setAttribute("aria-current", "true");
    else film.removeAttribute("aria-current");
  }
  byId("image-hint").hidden = Boolean(image);
  byId("drop").classList.toggle("filled", Boolean(image));
  byId("image-name").textContent = image ? (image.fid ? `Poster of ${image.title}` : image.name) : "Choose a poster or a still";
  if (source) picture.src = source;
  else picture.removeAttribute("src");
}

// ---- sounds, and films left out

function showSounds() {
  const { sound, like, less } = shown;
  const chips = [
    ...(sound ? [chip("Like ", sound.name, "Remove", () => change({ sound: null }))] : []),
    ...like.map((track) => chip("Like ", track.label, "Remove", () => change({ like: like.filter((other) => other !== track) }))),
    ...less.map((track) => chip("Less like ", track.label, "Remove", () => change({ less: less.filter((other) => other !== track) }))),
  ];
  byId("sound-chips").replaceChildren(...chips);
  byId("alone-field").hidden = !(sound || like.length);
  if (byId("alone-field").hidden) byId("alone").checked = false;
}

function showLeftOut() {
  const { exclude } = shown;
  byId("left-out").hidden = !exclude.length;
  byId("chips").replaceChildren(
    ...exclude.map((film) =>
      chip("", film.name, "Bring back", () => {
        change({ exclude: shown.exclude.filter((other) => other !== film) });
        act.again();
      }),
    ),
  );
}

function chip(words, name, does, remove) {
  const item = element("li");
  const text = element("span", "", words);
  text.append(isolated(name));
  item.append(text, button(does, `${does} ${name}`, remove));
  return item;
}

// ---- weights and filters

const weight = (part) => byId(`weight-${part}`);

function showWeights() {
  for (const part of PARTS) {
    const words = WEIGHTS[weight(part).value];
    weight(part).setAttribute("aria-valuetext", words);
    byId(`weight-${part}-words`).textContent = words;
  }
  if (PARTS.some((part) => weight(part).value !== "1")) byId("weights").open = true;
}

async function offerFilters(chosen) {
  const name = form.elements.library.value;
  summaries[name] ??= fetch(`/api/libraries/${encodeURIComponent(name)}`).then((response) => (response.ok ? response.json() : null));
  const summary = await summaries[name].catch(() => null);
  if (!summary) delete summaries[name]; // try again later
  if (name !== form.elements.library.value) return;
  if (summary) showFilters(summary, chosen);
  else byId("filters").hidden = true;
}

// ---- events

export function listen(acts) {
  act = acts;
  const most = (part) => Number(form.dataset[part === "image" ? "maxBytes" : "maxSoundBytes"]);
  for (const part of ["image", "sound"]) {
    byId(part).addEventListener("change", ({ target }) => target.files[0] && setFile(target.files[0], part, most(part)));
  }
  byId("no-image").addEventListener("click", () => {
    files = { ...files, image: undefined };
    shown = { ...shown, film: null, image: null };
    byId("image").value = "";
    showImage();
    byId("image").focus();
  });
  byId("library").addEventListener("change", () => {
    change({ exclude: [], like: [], less: [] }); // from another library
    offerFilters(empty().filters);
  });
  byId("filters").addEventListener("input", countFilters);
  byId("weights").addEventListener("input", showWeights);
  byId("no-filters").addEventListener("click", () => setFilters(empty().filters));
  form.addEventListener("input", () => {
    shown = { ...shown, film: null };
  });
  byId("preview").addEventListener("error", () => {
    byId("preview").hidden = true; // not a picture: the server will report it
  });
  listenToDrops(most("image"));
}

document.addEventListener("indexed", ({ detail: library }) => {
  delete summaries[library];
  if (form.elements.library.value === library) offerFilters(chosenFilters());
});

function listenToDrops(most) {
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
    setFile(byId("image").files[0], "image", most);
  });
}
