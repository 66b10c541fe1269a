// One track of an answer: its name, its music and its buttons.

import { icon } from "./icons.js";
import { mark } from "./items.js";
import { credits, label, music, times } from "./naming.js";
import { reasons } from "./reasons.js";
import { button, clipped, element, isolated, link, parted } from "./small.js";

const QUERY_CHARS = 300; // of the query stored with a track

// `section` is a section of results.js; `acts` has the actions of the card's buttons: more(track), less(track), leaveOut(film)
export function card(track, section, acts) {
  const item = element("li", track.image ? "track" : "track bare");
  const body = element("div", "body");
  body.append(nameOf(track, section.question), parted(element("p", "facts"), credits(track)), parted(element("p", "music"), music(track)), listen(track, acts));
  item.append(element("span", "rank", String(track.rank)), ...thumbnail(track), body, reasons(track));
  mark(item, { library: section.answer.library, track, found: purpose(section.question) });
  return item;
}

function nameOf(track, { film }) {
  const name = element("h3");
  name.append(isolated(track.fid ? track.film : label(track)));
  if (track.fid && track.year) name.append(" ", element("span", "year", String(track.year)));
  if (track.fid && track.fid === film?.fid) name.append(" ", element("span", "badge", "its own music"));
  return name;
}

function thumbnail(track) {
  if (!track.image) return [];
  const image = element("img", "poster");
  image.src = track.image;
  image.alt = "";
  image.loading = "lazy";
  return [image];
}

// the query that found a track, as the shortlist stores it
function purpose({ film, scene, tags, plot, like, sound }) {
  const heard = [...(sound ? [sound.name] : []), ...like.map((other) => other.label)];
  const words = [tags.trim(), clipped(plot.trim(), QUERY_CHARS), heard.length ? `like ${heard.join(", ")}` : ""];
  return { film: film?.title ?? scene ?? "", query: words.filter(Boolean).join("; ") };
}

// ---- buttons

// the player and the shortlist handle their own buttons
function listen(track, acts) {
  const line = element("div", "listen");
  const name = label(track);
  line.append(toggled("play", `Play ${name}`, "play", "pause"), toggled("star", `On the shortlist: ${name}`, "star"));
  line.append(element("span", "when", times(track)), more(track, name, acts));
  return line;
}

function toggled(kind, said, ...icons) {
  const made = element("button", `icons ${kind}`);
  made.type = "button";
  made.setAttribute("aria-label", said);
  made.setAttribute("aria-pressed", "false");
  made.append(...icons.map(icon));
  return made;
}

function more(track, name, acts) {
  const box = element("div", "actions");
  const menu = element("details", "menu");
  const opener = element("summary", "icons");
  const choices = element("div", "choices");
  opener.setAttribute("aria-label", `More for ${name}`);
  opener.append(icon("more"));
  choices.append(button("Less like this", `Less like ${name}`, () => acts.less(track)));
  if (track.fid || track.film) {
    const what = track.fid ? "Leave out this film" : "Leave out this album";
    const film = { id: track.fid || track.film, name: track.film };
    choices.append(button(what, `${what}: ${track.film}`, () => acts.leaveOut(film)));
  }
  if (/^https?:\/\//.test(track.source_url)) choices.append(link(track.source_url, "Source page"));
  menu.append(opener, choices);
  box.append(button("More like this", `More like ${name}`, () => acts.more(track)), menu);
  return box;
}

// a menu closes after a choice, when it loses the focus, and on Escape
document.addEventListener("click", ({ target }) => {
  for (const menu of document.querySelectorAll(".menu[open]")) if (!target.closest("summary") || !menu.contains(target)) menu.open = false;
});
document.addEventListener("focusin", ({ target }) => {
  for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(target)) menu.open = false;
});
document.addEventListener("keydown", ({ key }) => {
  const menu = key === "Escape" && document.querySelector(".menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
