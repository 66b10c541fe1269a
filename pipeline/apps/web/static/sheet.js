// The printed shortlist: a table that is visible only in print.

import { clock, element, parted } from "./small.js";
import { label } from "./naming.js";

export function fillSheet(table, items) {
  table.hidden = !items.length;
  table.caption.textContent = `Shortlist, ${new Date().toLocaleDateString("en-GB", { dateStyle: "long" })}`;
  table.tBodies[0].replaceChildren(...items.map(line));
}

function line({ track, found, note }, place) {
  const row = element("tr");
  const titles = track.artist || track.title ? [track.artist, track.title] : [label(track)];
  const cells = [[place + 1], titles, [track.film, track.year], [cue(track)], [note], [found.film, found.query]];
  for (const texts of cells) {
    row.append(parted(element("td"), texts, ", "));
  }
  row.cells[3].append(element("p", "path", track.path));
  return row;
}

function cue({ file_start_seconds: from, seconds }) {
  const start = from ?? 0;
  return seconds ? `${clock(start)} to ${clock(start + seconds)}` : `from ${clock(start)}`;
}
