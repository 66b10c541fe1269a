// A library in the dialog: its indexing progress, changes in its folder, contents, skipped files and duplicates.

import { element, isolated } from "./small.js";

const STEPS = { reading: "Reading", decoding: "Decoding", embedding: "Embedding" };
const SAME = { content: "Identical files", recording: "The same recording" };
const UNITS = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]];

const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

export const isRunning = (library) => Boolean(library) && !["idle", "done", "failed"].includes(library.state);

// the current step in words
export function stepOf({ state, label, done, total }) {
  if (state === "waiting") return "Waiting …";
  const by = state === "embedding" ? ` with ${label}` : "";
  return `${STEPS[state]}${by}: ${done.toLocaleString("en")} of ${plural(total, "file")}`;
}

// `begin(name, all)` starts an update
export function createLibrary(name, path, begin) {
  const node = element("section", "library");
  const heading = element("h3");
  heading.append(isolated(name));
  heading.id = `library-${path}`;
  node.setAttribute("aria-labelledby", heading.id);
  const folder = element("p", "hint");
  const state = element("p", "library-state");
  const bar = element("progress");
  bar.setAttribute("aria-label", `Indexing ${name}`);
  const facts = element("p", "library-facts");
  const acts = element("p", "library-acts");
  const [update, all] = [false, true].map((every) => {
    const button = element("button", "quiet", every ? "Read all files again" : "Re-scan");
    button.type = "button";
    button.setAttribute("aria-describedby", `${heading.id}-about`);
    button.addEventListener("click", () => button.getAttribute("aria-disabled") !== "true" && begin(name, every));
    acts.append(button);
    return button;
  });
  const about = element("span", "aside", `of ${name}`);
  about.id = `${heading.id}-about`;
  acts.append(about);
  const skipped = list("skipped", "Skipped files");
  const twice = list("duplicates", "Files with the same music");
  node.append(heading, folder, facts, state, bar, acts, skipped.node, twice.node);

  function list(which, called) {
    const fold = element("details", "library-list");
    fold.hidden = true;
    const summary = element("summary");
    const items = element("ul");
    items.tabIndex = 0; // it scrolls
    items.setAttribute("aria-label", called);
    const save = element("a", "", "Save the whole list as CSV");
    save.href = `${path}/files/export?which=${which}`;
    save.download = "";
    fold.append(summary, items, save);
    return { node: fold, summary, items };
  }

  function show(library, isBusy) {
    const running = isRunning(library);
    folder.replaceChildren(isolated(library.folder));
    folder.hidden = !library.folder;
    state.textContent = running ? stepOf(library) : standing(library);
    state.classList.toggle("failed", library.state === "failed" || !library.reachable);
    bar.hidden = !running;
    if (library.total) {
      bar.max = library.total;
      bar.value = library.done;
    } else bar.removeAttribute("value");
    acts.hidden = Boolean(library.refusal);
    update.textContent = library.searchable ? "Re-scan" : "Index";
    all.hidden = !library.can_read_all || !library.searchable;
    for (const button of [update, all]) button.setAttribute("aria-disabled", String(isBusy || !library.reachable));
  }

  function fill(files) {
    const { tracks, segments, hours, bytes, films, formats } = files;
    const kinds = formats.map(({ format, files: count }) => `${format.toUpperCase()} ${count.toLocaleString("en")}`);
    facts.textContent = tracks
      ? [
          plural(tracks, "track"),
          ...(segments === tracks ? [] : [plural(segments, "segment")]),
          hours < 1 ? plural(Math.round(hours * 60), "minute") : `${hours.toLocaleString("en", { maximumFractionDigits: 1 })} hours`,
          ...(films ? [plural(films, bytes === null ? "film" : "album")] : []),
          ...(bytes === null ? [] : [sized(bytes)]),
          kinds.join(", "),
        ].join(" · ")
      : "";
    skipped.node.hidden = !files.skipped;
    skipped.summary.textContent = `${plural(files.skipped, "file")} skipped: ${files.statuses.map(({ status, files: count }) => `${status.replaceAll("_", " ")} ${count}`).join(", ")}`;
    skipped.items.replaceChildren(...files.skipped_files.map(({ path: file, reason }) => entry([file], `: ${reason}`)));
    twice.node.hidden = !files.repeats;
    twice.summary.textContent = plural(files.repeats, "file repeats another", "files repeat others");
    twice.items.replaceChildren(...files.duplicates.map(({ same, files: of }) => entry(of, "", `${SAME[same]}: `)));
  }

  return { node, show, fill };
}

function standing({ state, reason, refusal, searchable, reachable, changes }) {
  if (state === "failed") return `Indexing failed: ${reason}`;
  if (refusal) return refusal.startsWith("it comes") ? "" : `Cannot be indexed here: ${refusal}`;
  if (!reachable) return "Its folder does not exist.";
  if (!searchable) return "Not indexed yet.";
  if (!changes) return "Checking its folder for changes …";
  const found = [["new", "new"], ["changed", "changed"], ["removed", "removed"]].filter(([kind]) => changes[kind]);
  return found.length ? `Since it was indexed: ${found.map(([kind, word]) => `${changes[kind].toLocaleString("en")} ${word}`).join(", ")}` : "No changes in its folder.";
}

function entry(files, after = "", before = "") {
  const item = element("li");
  item.append(before, ...files.flatMap((file, place) => [...(place ? [", "] : []), isolated(file)]), after);
  return item;
}

function sized(bytes) {
  const [size, unit] = UNITS.find(([least]) => bytes >= least) ?? [1, "B"];
  return `${(bytes / size).toLocaleString("en", { maximumFractionDigits: 1 })} ${unit}`;
}
