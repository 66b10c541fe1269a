// The shortlist's data: items in order with their notes, stored in this browser and in files.
//
// An item is {library, track, found: {film, query}, note}. Its track has the values at the time it was added; rows and
// addresses are not stored, since they change when a library is reindexed.

import { keyOf } from "./items.js";

export const MOST = 1000; // items
const MOST_BYTES = 5_000_000; // of a file
export const NOTE_CHARS = 20_000;
const KIND = "soundtracks shortlist";
const VERSION = 1;
const TEXT_CHARS = 4000;
const TEXTS = ["path", "film", "artist", "title", "fid", "key", "music_tags", "source_url"];
const NUMBERS = ["file_start_seconds", "start_seconds", "seconds", "recording_seconds", "year", "number", "tempo", "loudness", "vocals"];

export function kept({ library, track, found, note = "" }) {
  const texts = TEXTS.map((name) => [name, track[name] ?? ""]);
  const numbers = NUMBERS.map((name) => [name, track[name] ?? null]);
  return { library, track: Object.fromEntries([...texts, ...numbers]), found: { film: found?.film ?? "", query: found?.query ?? "" }, note };
}

export const written = (items) => JSON.stringify({ kind: KIND, version: VERSION, tracks: items.map(kept) }, null, 1);

// Returns the items of a file; throws an error with the reason if it is invalid.
export async function readFile(file) {
  if (file.size > MOST_BYTES) throw new Error(`it is larger than ${MOST_BYTES / 1e6} MB`);
  return read(await file.text());
}

// Returns the items of a JSON text.
export function read(text) {
  const data = parsed(text);
  if (data?.kind !== KIND) throw new Error("it is not a saved shortlist");
  if (data.version !== VERSION) throw new Error(`it has version ${clip(data.version)}, this page reads version ${VERSION}`);
  if (!Array.isArray(data.tracks)) throw new Error("its list of tracks is missing");
  if (data.tracks.length > MOST) throw new Error(`it has ${data.tracks.length} tracks; the limit is ${MOST}`);
  return data.tracks.map((item, place) => checked(item, `track ${place + 1}`));
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("it is not a complete JSON file");
  }
}

function checked(item, where) {
  const known = item?.track;
  if (typeof known !== "object" || known === null) throw new Error(`${where}: its track is missing`);
  const track = {};
  for (const name of TEXTS) track[name] = string(known[name] ?? "", TEXT_CHARS, `${where}, ${name}`);
  for (const name of NUMBERS) track[name] = numeric(known[name] ?? null, `${where}, ${name}`);
  if (!track.path) throw new Error(`${where}: its path is missing`);
  return {
    library: string(item.library, TEXT_CHARS, `${where}, library`),
    track,
    found: {
      film: string(item.found?.film ?? "", TEXT_CHARS, `${where}, found.film`),
      query: string(item.found?.query ?? "", TEXT_CHARS, `${where}, found.query`),
    },
    note: string(item.note ?? "", NOTE_CHARS, `${where}, note`),
  };
}

function string(value, most, where) {
  if (typeof value !== "string") throw new Error(`${where}: found ${clip(value)}, expected a string`);
  if (value.length > most) throw new Error(`${where}: ${value.length} characters; the limit is ${most}`);
  return value;
}

function numeric(value, where) {
  if (value !== null && !Number.isFinite(value)) throw new Error(`${where}: found ${clip(value)}, expected a number`);
  return value;
}

const clip = (value) => String(JSON.stringify(value)).slice(0, 60);

// Returns the two lists merged: items of `own` keep their places, and notes of common items are joined.
export function merged(own, others) {
  const all = new Map(own.map((item) => [keyOf(item), item]));
  let added = 0;
  let joined = 0;
  for (const item of others) {
    const mine = all.get(keyOf(item));
    const isNews = mine && item.note && !mine.note.includes(item.note);
    if (!mine) added += 1;
    if (isNews && mine.note) joined += 1;
    if (!mine) all.set(keyOf(item), item);
    else if (isNews) all.set(keyOf(item), { ...mine, note: `${mine.note}\n${item.note}`.trim().slice(0, NOTE_CHARS) });
  }
  if (all.size > MOST) throw new Error(`the list would have ${all.size} tracks; the limit is ${MOST}`);
  return { items: [...all.values()], added, joined };
}
