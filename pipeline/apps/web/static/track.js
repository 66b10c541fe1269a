// One track of an answer: what it is, its player, and what can be done with it.

import { reasons } from "./reasons.js";
import { button, clock, element, isolated, link } from "./small.js";

const NEAR = "300px"; // of the window: from there on, a player reads how long its file is

// `acts` has what its buttons do: similar(track), leaveOut(film)
export function card(track, view, acts) {
  const item = element("li", track.image ? "track" : "track bare");
  const body = element("div", "body");
  body.append(nameOf(track, view), factsOf(track), player(track), actions(track, acts));
  item.append(element("span", "rank", String(track.rank)), ...thumbnail(track), body, reasons(track));
  return item;
}

// people count from 1, the data set from 0
export function label(track) {
  if (track.fid) return `${track.film}, track ${track.number + 1}`;
  return track.title || track.path.split("/").pop();
}

function nameOf(track, view) {
  const name = element("h3");
  name.append(isolated(track.fid ? track.film : label(track)));
  if (track.fid && track.year) name.append(" ", element("span", "year", String(track.year)));
  if (track.fid && track.fid === view.question.film?.fid) name.append(" ", element("span", "badge", "its own music"));
  return name;
}

function factsOf(track) {
  const line = element("p", "facts");
  const names = track.fid ? [`Track ${track.number + 1}`, track.artist, recording(track)] : [track.artist, track.film, track.year];
  const facts = [...names, track.music_tags].filter(Boolean).map(String);
  facts.forEach((fact, place) => line.append(...(place ? [" · "] : []), isolated(fact)));
  if (/^https?:\/\//.test(track.source_url)) line.append(" · ", link(track.source_url, "source"));
  return line;
}

// a recording without a title is called as its file is
function recording(track) {
  const file = track.source_url.split("/").pop().replace(/\.\w+$/, "");
  return track.title === file ? "" : track.title;
}

function thumbnail(track) {
  if (!track.image) return [];
  const image = element("img", "poster");
  image.src = track.image;
  image.alt = "";
  image.loading = "lazy";
  return [image];
}

// ---- the player

// a track of the data set is a file; one of other libraries is a segment of a file, which a media fragment names
function player(track) {
  const row = element("div", "listen");
  const audio = element("audio");
  const when = element("p", "when", times(track));
  const start = track.file_start_seconds ?? 0;
  audio.controls = true;
  audio.preload = "none";
  audio.src = track.fid ? track.audio : `${track.audio}#t=${start},${start + track.seconds}`;
  audio.setAttribute("aria-label", label(track));
  audio.addEventListener("loadedmetadata", () => {
    when.textContent = times(track, audio.duration);
  });
  audio.addEventListener("error", () => {
    const note = element("p", "facts", "This browser cannot play the file. ");
    note.append(link(track.audio, "Open it"));
    row.replaceChildren(note);
  });
  whenNear(audio);
  row.append(audio, when);
  return row;
}

// `whole` is the length of the file, which is known once the player has read it
function times(track, whole = NaN) {
  const { seconds } = track;
  if (track.fid) {
    const from = track.start_seconds ? `, from ${clock(track.start_seconds)} of the recording` : "";
    return seconds ? `${clock(seconds)} long${from}` : "";
  }
  const start = track.file_start_seconds ?? 0;
  if (!seconds) return `from ${clock(start)}`;
  const range = `${clock(start)} to ${clock(start + seconds)}`;
  return Number.isFinite(whole) ? `${range} of ${clock(whole)}` : range;
}

const seen = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      target.preload = "metadata";
    }
  },
  { rootMargin: NEAR },
);

const whenNear = (audio) => seen.observe(audio);

// ---- what can be done with it

function actions(track, { similar, leaveOut }) {
  const line = element("p", "actions");
  line.append(button("Similar", `Tracks like ${label(track)}`, () => similar(track)));
  if (track.fid || track.film) {
    const what = track.fid ? "Leave out this film" : "Leave out this album";
    line.append(button(what, `${what}: ${track.film}`, () => leaveOut({ id: track.fid || track.film, name: track.film })));
  }
  return line;
}
