// Why a track was found, in sentences derived from the places shown next to them.

import { capital, clipped, element, isolated, listed, named, number, ordinal } from "./small.js";

const PLURAL = "tags";
const QUOTED = 140; // characters of a sentence

export function reasons(track) {
  const box = element("div", "why");
  const score = element("p", "score", "Score ");
  score.append(element("b", "", number(track.score)));
  box.append(score);
  if (track.place && track.place !== track.rank) box.append(element("p", "place", placed(track)));
  if (track.answers?.length) box.append(answered(track.answers));
  const without = Object.entries(track.without ?? {}).map(([part, { place }]) => ({ part, place }));
  if (!without.length) return box;
  box.append(element("p", "most", verdict(track.place, without)));
  const worst = Math.max(...without.map(({ place }) => place));
  const list = element("ul");
  for (const { part, place } of without) {
    const line = element("li", "", `Without ${named(part)} it would ${place === track.place ? "still be" : "be"} ${ordinal(place)}`);
    line.append(bar(place - track.place, worst - track.place));
    list.append(line);
  }
  box.append(list);
  return box;
}

export const isAboveUnseen = (track) => track.place > track.rank;

function placed(track) {
  const unseen = track.place - track.rank;
  const above = unseen > 0 ? `; ${unseen.toLocaleString("en")} above it ${unseen === 1 ? "is" : "are"} not shown` : "";
  return `${ordinal(track.place)} of all tracks${above}`;
}

// the sentences and tags of the query that add most to the track's score
function answered(answers) {
  const quoted = (part) => answers.filter((answer) => answer.part === part).map(({ text }) => ["“", isolated(clipped(text, QUOTED)), "”"]);
  const [sentences, tags] = [quoted("plot"), quoted("tags")];
  const line = element("p", "answers", "Matches ");
  line.append(...enumerated(sentences));
  if (tags.length) line.append(sentences.length ? " and " : "", tags.length > 1 ? "the tags " : "the tag ", ...enumerated(tags));
  return line;
}

// nodes of several texts, joined by commas and "and"
function enumerated(texts) {
  const between = (place) => (place === 0 ? [] : [place === texts.length - 1 ? " and " : ", "]);
  return texts.flatMap((nodes, place) => [...between(place), ...nodes]);
}

// the part whose absence costs most places, or the parts if there is a tie
function verdict(place, without) {
  const worst = Math.max(...without.map((found) => found.place));
  if (worst <= place) return "No single part raises it to this rank";
  const most = without.filter((found) => found.place === worst).map((found) => found.part);
  const who = capital(listed(most));
  if (most.length === without.length) return `${who} count equally`;
  if (most.length > 1) return `${who} count most, equally`;
  return `${who} ${most[0] === PLURAL ? "count" : "counts"} most`;
}

function bar(fallen, most) {
  const frame = element("span", "bar");
  const fill = element("i");
  fill.style.width = `${most > 0 ? Math.max(0, (100 * fallen) / most) : 0}%`;
  frame.append(fill);
  frame.setAttribute("aria-hidden", "true"); // duplicates the text next to it
  return frame;
}
