// The page: asks this server's API and shows what it answers. What comes from films, files or users gets into the page
// as text alone (textContent), never as markup.

const PARTS = { image: "the image", tags: "the tags", plot: "the synopsis" };
const FIELDS = { image: "Image", tags: "Tags", plot: "Synopsis", k: "Tracks", per_film: "Per film" }; // as the form calls them
const SLOW = 1500; // ms after which it is said why an answer takes so long

const byId = (id) => document.getElementById(id);
const form = byId("ask");
const results = byId("results");
const heading = byId("results-heading");
const NOTHING = { title: heading.textContent, said: byId("said").textContent }; // before the first search

let poster = null; // of an example film, in place of a file: {fid, title, image}
let leftOut = []; // films and albums: {id, name}
let views = []; // the answers that were shown: {title, question, answer, unexplained: what to ask reasons with}
let shown = -1; // which of them is on the page
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
  if (question.like) return `${tracks} like ${question.like}`;
  return question.film ? `${tracks} for ${question.film.title}` : `${tracks} for your film`;
}

async function search(question) {
  asking?.abort();
  asking = new AbortController();
  const mine = asking;
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
    if (!mine.signal.aborted) complain(error.message);
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
  view.answer.tracks.forEach((track, place) => boxes[place].replaceWith(whyOf(track)));
}

// ---- states

let slow;

function busy(on) {
  results.setAttribute("aria-busy", String(on));
  form.querySelector("[type=submit]").textContent = on ? "Searching …" : "Find music";
  clearTimeout(slow);
  if (!on) return;
  complain("");
  slow = setTimeout(() => {
    byId("said").textContent = "Searching. The first answer after the start takes some seconds: the networks are being loaded.";
  }, SLOW);
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
  const view = views[index];
  const tracks = view?.answer.tracks ?? [];
  complain("");
  heading.textContent = view?.title ?? NOTHING.title;
  describe();
  exportsOf(tracks, view?.answer.library);
  const back = byId("back");
  back.hidden = index < 1;
  back.textContent = index < 1 ? "" : `Back to ${views[index - 1].title}`;
  byId("models").hidden = index >= 0;
  byId("tracks").replaceChildren(...tracks.map((track) => card(track, view)));
  heading.focus();
  heading.scrollIntoView({ block: "nearest" });
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

function exportsOf(tracks, library) {
  byId("exports").hidden = !tracks.length;
  for (const link of byId("exports").querySelectorAll("a")) {
    const query = new URLSearchParams({ format: link.dataset.format, library });
    for (const track of tracks) {
      query.append("row", track.row);
      query.append("score", track.score.toFixed(4));
    }
    link.href = `/api/export?${query}`;
  }
}

// ---- a track

function card(track, view) {
  const item = element("li", track.image ? "track" : "track bare");
  const body = element("div", "body");
  body.append(nameOf(track, view), factsOf(track), player(track), actions(track, view));
  item.append(element("span", "rank", String(track.rank)), ...thumbnail(track), body, whyOf(track));
  return item;
}

function label(track) {
  if (track.fid) return `${track.film}, track ${track.number}`;
  return track.title || track.path.split("/").pop();
}

function nameOf(track, view) {
  const name = element("h3");
  const text = element("span", "", track.fid ? track.film : label(track));
  text.dir = "auto";
  name.append(text);
  if (track.fid && track.year) name.append(" ", element("span", "year", String(track.year)));
  if (track.fid && track.fid === view.question.film?.fid) name.append(" ", element("span", "badge", "its own music"));
  return name;
}

function factsOf(track) {
  const line = element("p", "facts");
  const names = track.fid ? [`Track ${track.number}`, track.artist, recording(track)] : [track.artist, track.film, track.year];
  const facts = [...names.filter(Boolean).map(String), ...times(track), track.music_tags].filter(Boolean);
  facts.forEach((fact, place) => {
    const text = element("span", "", fact);
    text.dir = "auto";
    line.append(...(place ? [" · ", text] : [text]));
  });
  if (/^https?:\/\//.test(track.source_url)) line.append(" · ", link(track.source_url, "source"));
  return line;
}

// a recording without a title is called as its file is
function recording(track) {
  const file = track.source_url.split("/").pop().replace(/\.\w+$/, "");
  return track.title === file ? "" : track.title;
}

function times(track) {
  const start = track.start_seconds || !track.fid ? [`from ${clock(track.start_seconds ?? 0)}`] : [];
  return track.seconds ? [...start, `${clock(track.seconds)} long`] : start;
}

function thumbnail(track) {
  if (!track.image) return [];
  const image = element("img", "poster");
  image.src = track.image;
  image.alt = "";
  image.loading = "lazy";
  return [image];
}

function player(track) {
  const audio = element("audio");
  const start = track.file_start_seconds ?? 0;
  audio.controls = true;
  audio.preload = "none";
  // a track of the data set is a file; one of other libraries is a segment of a file, which a media fragment names
  audio.src = track.fid ? track.audio : `${track.audio}#t=${start},${start + track.seconds}`;
  audio.setAttribute("aria-label", label(track));
  audio.addEventListener("error", () => {
    const note = element("p", "facts", "This browser cannot play the file. ");
    note.append(link(track.audio, "Open it"));
    audio.replaceWith(note);
  });
  return audio;
}

function actions(track, view) {
  const line = element("p", "actions");
  const like = button("Similar", `Tracks like ${label(track)}`, () => {
    search({ fields: { like: String(track.row) }, like: label(track), library: view.answer.library, film: null });
  });
  line.append(like);
  if (track.fid || track.film) {
    const what = track.fid ? "Leave out this film" : "Leave out this album";
    line.append(button(what, `${what}: ${track.film}`, () => {
      leaveOut([...leftOut, { id: track.fid || track.film, name: track.film }]);
      search(view.question);
    }));
  }
  return line;
}

// ---- why a track is there

// before films were left out, and of each file's segments all but one
function placeOf(track) {
  return track.place && track.place !== track.rank ? ` · place ${track.place} among all tracks` : "";
}

function whyOf(track) {
  const box = element("div", "why");
  const score = element("p", "score");
  score.append("Score ", element("b", "", number(track.score)), placeOf(track));
  box.append(score);
  const parts = Object.entries(track.without ?? {});
  if (!parts.length) return box;
  const lost = parts.map(([, without]) => track.score - without.score);
  const most = Math.max(...lost);
  const [first] = parts[lost.indexOf(most)];
  box.append(element("p", "most", most > 0 ? `${capital(PARTS[first])} mattered most` : "No part alone brought it here"));
  const list = element("ul");
  parts.forEach(([part, without], place) => {
    const line = element("li");
    line.append(`Without ${PARTS[part]}: place ${without.place} (score ${number(without.score)})`, bar(lost[place], most));
    list.append(line);
  });
  box.append(list);
  return box;
}

function bar(value, most) {
  const frame = element("span", "bar");
  const fill = element("i");
  fill.style.width = `${most > 0 ? Math.max(0, (100 * value) / most) : 0}%`;
  frame.append(fill);
  frame.setAttribute("aria-hidden", "true"); // the words beside it say the same
  return frame;
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
      const item = element("li", "", film.name);
      item.append(button("Bring back", `Bring back ${film.name}`, () => {
        leaveOut(leftOut.filter((other) => other !== film));
        if (shown >= 0) search(views[shown].question);
      }));
      return item;
    }),
  );
}

// ---- small things

function element(tag, name = "", text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
}

function button(text, name, act) {
  const made = element("button", "quiet", text);
  made.type = "button";
  made.setAttribute("aria-label", name);
  made.addEventListener("click", act);
  return made;
}

function link(href, text) {
  const made = element("a", "", text);
  made.href = href;
  made.target = "_blank";
  made.rel = "noopener noreferrer";
  return made;
}

function clock(seconds) {
  const whole = Math.round(seconds);
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, two(whole % 60)];
  return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

const number = (value) => value.toFixed(2).replace("-", "−");
const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
const capital = (text) => text[0].toUpperCase() + text.slice(1);

function listed(parts) {
  const words = parts.map((part) => PARTS[part] ?? part);
  return words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words.join("");
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
