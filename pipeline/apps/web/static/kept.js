// The shortlist itself: items in order with their notes, kept by this browser and written to files.
//
// An item is {library, track, found: {film, query}, note}. Its track is what was known of it when it was kept; rows and
// addresses are not kept, as they change when a library is indexed again.

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

// Returns the items of a file; throws an error that says what is wrong with it.
export async function readFile(file) {
  if (file.size > MOST_BYTES) throw new Error(`it is larger than ${MOST_BYTES / 1e6} MB`);
  return read(await file.text());
}

// Returns the items that a text has.
export function read(text) {
  const data = parsed(text);
  if (data?.kind !== KIND) throw new Error("this is no shortlist that was saved here");
  if (data.version !== VERSION) throw new Error(`it is of version ${clip(data.version)}, this page reads version ${VERSION}`);
  if (!Array.isArray(data.tracks)) throw new Error("its list of tracks is missing");
  if (data.tracks.length > MOST) throw new Error(`it has ${data.tracks.length} tracks, at most ${MOST} fit`);
  return data.tracks.map((item, place) => checked(item, `track ${place + 1}`));
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("this is no JSON file, or a part of it is missing");
  }
}

function checked(item, where) {
  const known = item?.track;
  if (typeof known !== "object" || known === null) throw new Error(`${where}: what it is, is missing`);
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
  if (typeof value !== "string") throw new Error(`${where}: found ${clip(value)}, a text is needed`);
  if (value.length > most) throw new Error(`${where}: ${value.length} characters, at most ${most} fit`);
  return value;
}

function numeric(value, where) {
  if (value !== null && !Number.isFinite(value)) throw new Error(`${where}: found ${clip(value)}, a number is needed`);
  return value;
}

const clip = (value) => String(JSON.stringify(value)).slice(0, 60);

// Returns the two lists as one, nothing of `own` lost: what both have keeps its place, and two notes become one.
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
  if (all.size > MOST) throw new Error(`there would be ${all.size} tracks, at most ${MOST} fit`);
  return { items: [...all.values()], added, joined };
}
