// The shortlist's panel: its tracks in order, with notes; they can be played, moved, removed, saved and printed.

import { saved, exported, looked } from "./exchange.js";
import { drawIcons, icon } from "./icons.js";
import { keyOf, mark, onPress, paintWith } from "./items.js";
import { kept, merged, MOST, NOTE_CHARS, read, readFile, written } from "./kept.js";
import { onOther, recalled, remember } from "./memory.js";
import { credits, label, times } from "./naming.js";
import { fillSheet } from "./sheet.js";
import { element, isolated, parted } from "./small.js";
import { announce } from "./speech.js";

const STORED = "shortlist.1"; // in local storage; the number is the format's version

const byId = (id) => document.getElementById(id);

export function createShortlist() {
  const panel = byId("shortlist");
  const rows = byId("shortlist-tracks");
  const listeners = [];
  let items = stored(recalled(STORED));
  let before = null; // items to restore with Undo

  const has = (item) => items.some((other) => keyOf(other) === keyOf(item));
  const repaint = paintWith((node) => {
    const isKept = items.some((item) => keyOf(item) === node.dataset.item);
    node.querySelector("button.star")?.setAttribute("aria-pressed", String(isKept));
  });

  function change(next, said, undo = null) {
    items = next;
    before = undo;
    const isKept = remember(STORED, written(items));
    say(isKept ? said : `${said} This browser cannot store it: save it to a file.`);
    render();
  }

  function say(text) {
    byId("shortlist-said").textContent = text;
    byId("shortlist-undo").hidden = !before;
    if (!panel.open) announce(text);
  }

  function render() {
    byId("shortlist-count").textContent = items.length;
    byId("shortlist-empty").hidden = items.length > 0;
    for (const node of panel.querySelectorAll("#shortlist-save, [data-export], #shortlist-print, #shortlist-clear")) node.disabled = !items.length;
    if (panel.open) rows.replaceChildren(...items.map(row));
    repaint();
    for (const listener of listeners) listener();
  }

  // ---- items

  function toggle(item) {
    if (has(item)) return remove(item);
    if (items.length >= MOST) return say(`The shortlist is full: ${MOST} tracks.`);
    change([...items, { ...item, ...kept(item), track: item.track }], `Added to the shortlist: ${label(item.track)}.`);
  }

  function remove(item) {
    const next = items.filter((other) => keyOf(other) !== keyOf(item));
    change(next, `Removed from the shortlist: ${label(item.track)}.`, items);
  }

  function move(item, by) {
    const from = items.indexOf(item);
    const next = items.toSpliced(from, 1).toSpliced(from + by, 0, item);
    change(next, `${label(item.track)} is now number ${from + by + 1} of ${items.length}.`);
  }

  function annotate(item, note) {
    item.note = note;
    if (!remember(STORED, written(items))) say("This browser cannot store the note: save the list to a file.");
  }

  // ---- the panel

  function row(item, place) {
    const name = label(item.track);
    const line = element("li", "kept");
    const what = element("div", "kept-what");
    const title = element("h3");
    title.append(isolated(name));
    what.append(title, parted(element("p", "facts"), [...credits(item.track), times(item.track)]), purpose(item.found));
    if (item.isGone) what.append(element("p", "gone", `No longer in the library ${item.library}.`));
    what.append(noteOf(item, name));
    const moves = element("div", "kept-moves");
    moves.append(
      iconed("up", `Move up ${name}`, () => moved(item, -1, "up"), place === 0),
      iconed("down", `Move down ${name}`, () => moved(item, 1, "down"), place === items.length - 1),
      iconed("remove", `Remove ${name}`, () => removed(item, place)),
    );
    line.append(playOf(item, name), what, moves);
    mark(line, item);
    return line;
  }

  function moved(item, by, direction) {
    move(item, by);
    const [up, down] = rows.children[items.indexOf(item)].querySelectorAll(".kept-moves button");
    const [wanted, other] = direction === "up" ? [up, down] : [down, up];
    (wanted.disabled ? other : wanted).focus();
  }

  function removed(item, place) {
    remove(item);
    (rows.children[Math.min(place, items.length - 1)]?.querySelector(".kept-moves button:last-child") ?? byId("shortlist-undo")).focus();
  }

  function noteOf(item, name) {
    const note = element("textarea", "kept-note");
    note.rows = 1;
    note.maxLength = NOTE_CHARS;
    note.placeholder = "Note";
    note.value = item.note;
    note.dir = "auto";
    note.setAttribute("aria-label", `Note for ${name}`);
    note.addEventListener("input", () => annotate(item, note.value));
    return note;
  }

  async function open() {
    panel.show();
    byId("shortlist-open").setAttribute("aria-expanded", "true");
    render();
    byId("shortlist-heading").focus();
    await look();
  }

  function close() {
    panel.close();
    byId("shortlist-open").setAttribute("aria-expanded", "false");
    byId("shortlist-open").focus();
  }

  // Looks up the tracks: their current rows and addresses, and whether they still exist.
  async function look() {
    const asked = items;
    const found = await looked(asked);
    if (!found) return;
    found.forEach((track, place) => {
      asked[place].isGone = !track;
      asked[place].track = { ...asked[place].track, ...track };
      if (!track) delete asked[place].track.audio;
    });
    for (const [place, line] of [...rows.children].entries()) {
      if (!line.contains(document.activeElement)) line.replaceWith(row(items[place], place));
    }
  }

  async function load(file) {
    try {
      const { items: next, added, joined } = merged(items, await readFile(file));
      const notes = joined ? `, ${joined} ${joined === 1 ? "note was" : "notes were"} merged with yours` : "";
      change(next, `${file.name}: ${added} ${added === 1 ? "track is" : "tracks are"} new${notes}.`, items);
      await look();
    } catch (error) {
      say(`${file.name} was not loaded: ${error.message}.`);
    }
  }

  async function save(format) {
    try {
      await exported(format, items);
    } catch (error) {
      say(error.message);
    }
  }

  byId("shortlist-open").addEventListener("click", () => (panel.open ? close() : open()));
  byId("shortlist-close").addEventListener("click", close);
  byId("shortlist-undo").addEventListener("click", () => {
    change(before, "Undone.");
    byId("shortlist-heading").focus(); // the button is gone
  });
  byId("shortlist-clear").addEventListener("click", () => {
    change([], "The shortlist is empty.", items);
    byId("shortlist-undo").focus();
  });
  byId("shortlist-save").addEventListener("click", () => saved("shortlist.json", written(items), "application/json"));
  byId("shortlist-print").addEventListener("click", () => window.print());
  byId("shortlist-load").addEventListener("change", ({ target }) => {
    if (target.files[0]) load(target.files[0]);
    target.value = "";
  });
  for (const node of panel.querySelectorAll("[data-export]")) node.addEventListener("click", () => save(node.dataset.export));
  panel.addEventListener("keydown", ({ key }) => key === "Escape" && close());
  window.addEventListener("beforeprint", () => fillSheet(byId("sheet"), panel.open ? items : []));
  onOther(STORED, (text) => {
    items = stored(text);
    render();
    if (panel.open) look();
  });
  onPress("star", toggle);
  drawIcons(panel);
  render();

  return { has, toggle, onChange: (listener) => listeners.push(listener) };
}

function stored(text) {
  try {
    return text ? read(text) : [];
  } catch {
    return []; // damaged, or not written by this page
  }
}

function playOf(item, name) {
  const button = iconed("play", `Play ${name}`, () => {}, !item.track.audio);
  button.classList.add("play");
  button.append(icon("pause"));
  return button;
}

function iconed(name, said, act, isOff = false) {
  const button = element("button", "icons");
  button.type = "button";
  button.disabled = isOff;
  button.setAttribute("aria-label", said);
  button.append(icon(name));
  button.addEventListener("click", act);
  return button;
}

function purpose({ film, query }) {
  const texts = [film, query].filter(Boolean);
  return parted(element("p", "facts", texts.length ? "Found for: " : ""), texts, ", ");
}
