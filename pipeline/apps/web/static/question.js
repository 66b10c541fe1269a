// A question as plain data: converted to the API's form data, and to and from the part of the page's address after #.
// Uploaded files stay in the browser; a link has only their names and digests.

import { clipped } from "./small.js";

export const PARTS = ["tags", "plot", "image"];
export const FILTERS = ["length", "tempo", "loudness", "year", "key", "vocals", "music"];
export const MAX_SCENES = 40;
const MAX_LINKED = 200; // tracks of a list in an address
const NORMAL = 1; // weight

export const empty = () => ({
  tags: "",
  plot: "",
  scenes: false, // whether the plot is a list of scenes, each a search of its own
  image: null, // poster of a film {fid, title}, or an upload {digest, name}
  film: null, // {fid, title}: the example film, if the inputs are unchanged
  sound: null, // an upload {digest, name}
  like: [], // tracks to find more of: {row, path, start, label}; rows change when a library is reindexed
  less: [], // tracks to find less of
  alone: false, // whether to ignore texts and image, and use the sound only
  weights: Object.fromEntries(PARTS.map((part) => [part, NORMAL])),
  filters: Object.fromEntries(FILTERS.map((name) => [name, ""])),
  exclude: [], // films and albums: {id, name}
  variant: "",
  library: "",
  k: "10",
  per_film: "1",
});

export const isBySound = (question) =>
  Boolean(question.like.length || question.sound) && (question.alone || !(question.tags || question.plot || question.image));

export const hasUploads = ({ image, sound }) => Boolean(image?.digest || sound?.digest);

// ---- for the API

// `files` are those of the image and the sound: File or undefined
export function body(question, files) {
  const data = new FormData();
  const add = (name, value) => value && data.append(name, value);
  if (!isBySound(question)) {
    add("tags", question.tags);
    add("plot", question.plot);
    if (question.image?.fid) add("example", question.image.fid);
    else if (question.image && files.image) data.append("image", files.image, question.image.name);
    for (const [part, weight] of Object.entries(question.weights)) if (weight !== NORMAL) data.append(`weight_${part}`, weight);
  }
  if (question.sound && files.sound) data.append("sound", files.sound, question.sound.name);
  for (const { row } of question.like) data.append("like", row);
  for (const { row } of question.less) data.append("less", row);
  for (const [name, value] of Object.entries(question.filters)) add(name, value);
  for (const film of question.exclude) data.append("exclude", film.id);
  for (const name of ["variant", "library", "k", "per_film"]) add(name, question[name]);
  return data;
}

// ---- several scenes

// A scene is a paragraph; if it has several lines, the first is its name. If no model is chosen, one of `models`
// [{name, needs, any_of, recall}] that reads the plot is used: others would find the same tracks for all scenes.
export function scenesOf(question, models) {
  const variant = question.variant || (readsPlot(question, models)?.name ?? "");
  const blocks = question.plot.split(/\n\s*\n/).map((block) => block.trim()).filter(Boolean);
  return blocks.slice(0, MAX_SCENES).map((block, place) => {
    const [first, ...rest] = block.split("\n");
    const text = rest.join("\n").trim();
    const name = text ? first.trim() : `Scene ${place + 1}: ${clipped(first.trim(), 60)}`;
    return { ...question, scenes: false, film: null, plot: text || first, scene: name, variant };
  });
}

function readsPlot(question, models) {
  const given = PARTS.filter((part) => question[part]);
  const fits = ({ needs, any_of }) => needs.includes("plot") && (any_of || needs.every((part) => given.includes(part)));
  return models.filter(fits).toSorted((a, b) => b.recall - a.recall)[0];
}

// ---- for the address

export function encoded(question, tracks = []) {
  const data = new URLSearchParams();
  const add = (name, value) => value && data.append(name, value);
  add("tags", question.tags);
  add("plot", question.plot);
  add("scenes", question.scenes ? "1" : "");
  if (question.film) data.append("film", joined(question.film.fid, question.film.title));
  if (question.image?.fid) data.append("poster", joined(question.image.fid, question.image.title));
  for (const part of ["image", "sound"]) {
    if (question[part]?.digest) data.append(part, joined(question[part].digest, question[part].name));
  }
  for (const name of ["like", "less"]) for (const { path, start, label } of question[name]) data.append(name, JSON.stringify([path, start, label]));
  add("alone", question.alone ? "1" : "");
  for (const [part, weight] of Object.entries(question.weights)) if (weight !== NORMAL) data.append(`weight_${part}`, weight);
  for (const name of FILTERS) add(name, question.filters[name]);
  for (const { id, name } of question.exclude) {
    data.append("exclude", id);
    data.append("excluded", name);
  }
  for (const name of ["variant", "library", "k", "per_film"]) data.append(name, question[name]);
  for (const { path, file_start_seconds: start, score } of tracks) data.append("found", JSON.stringify([path, start, Number(score.toFixed(4))]));
  return data.toString();
}

// Addresses are untrusted: invalid values are dropped, and the server checks the rest.
export function decoded(text) {
  const data = new URLSearchParams(text);
  const of = (name) => data.get(name) ?? "";
  const pairs = (name) => data.getAll(name).slice(0, MAX_LINKED).map(parted);
  const tracks = (name) => places(data, name).map(([path, start, label]) => ({ row: null, path, start, label: String(label) }));
  const film = (name) => pairs(name).filter(([fid]) => /^[A-Z]{3}$/.test(fid)).map(([fid, title]) => ({ fid, title }))[0] ?? null;
  const file = (name) => pairs(name).filter(([digest]) => /^[0-9a-f]{64}$/.test(digest)).map(([digest, called]) => ({ digest, name: called }))[0] ?? null;
  const weight = (part) => {
    const found = Number(of(`weight_${part}`) || NORMAL);
    return found >= 0 && found <= 2 ? found : NORMAL;
  };
  const start = empty();
  return {
    ...start,
    tags: of("tags"),
    plot: of("plot"),
    scenes: of("scenes") === "1",
    image: film("poster") ?? file("image"),
    film: film("film"),
    sound: file("sound"),
    like: tracks("like"),
    less: tracks("less"),
    alone: of("alone") === "1",
    weights: Object.fromEntries(PARTS.map((part) => [part, weight(part)])),
    filters: Object.fromEntries(FILTERS.map((name) => [name, of(name)])),
    exclude: data.getAll("exclude").map((id, place) => ({ id, name: data.getAll("excluded")[place] ?? id })),
    variant: of("variant"),
    library: of("library"),
    k: /^\d{1,3}$/.test(of("k")) ? of("k") : start.k,
    per_film: /^\d{0,3}$/.test(of("per_film")) && data.has("per_film") ? of("per_film") : start.per_film,
  };
}

// the tracks in a link to a search with uploaded files: {path, start, score}
export const found = (text) =>
  places(new URLSearchParams(text), "found").map(([path, start, score]) => ({ path, start, score: Number(score) || 0 }));

// the tracks in an address: path, start, and further values
function places(data, name) {
  const read = (text) => {
    try {
      return JSON.parse(text);
    } catch {
      return null;
    }
  };
  const isPlace = (value) => Array.isArray(value) && typeof value[0] === "string" && (value[1] === null || Number.isFinite(value[1]));
  return data.getAll(name).slice(0, MAX_LINKED).map(read).filter(isPlace);
}

const joined = (id, name) => `${id} ${name}`;

function parted(pair) {
  const place = pair.indexOf(" ");
  return place < 0 ? [pair, ""] : [pair.slice(0, place), pair.slice(place + 1)];
}
