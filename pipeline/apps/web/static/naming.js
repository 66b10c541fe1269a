// A track's name, times and musical properties as text; empty if unknown.

import { clock } from "./small.js";

const SUNG = 0.5; // probability of a voice
const ROUNDING = 1; // tolerance of a length in seconds

// people count from 1, the data set from 0
export function label(track) {
  if (track.fid) return `${track.film}, track ${track.number + 1}`;
  return track.title || track.path.split("/").pop();
}

// artist, work and year, in addition to `label`: untrusted texts
export function credits(track) {
  return track.fid ? [track.artist, recording(track)] : [track.artist, track.film, track.year];
}

// without a title, `title` is the file's name
function recording(track) {
  const file = track.source_url.split("/").pop().replace(/\.\w+$/, "");
  return track.title === file ? "" : track.title;
}

// the compared segment of the file; null: the whole file
export function segmentOf(track) {
  if (track.fid) return null;
  const start = track.file_start_seconds ?? 0;
  const end = track.seconds ? start + track.seconds : Infinity;
  const whole = track.recording_seconds ?? Infinity;
  return start === 0 && end >= whole - ROUNDING ? null : { start, end };
}

// e.g. "0:26 to 0:39 of 2:59"
export function times(track) {
  const { seconds, recording_seconds: whole } = track;
  const start = (track.fid ? track.start_seconds : track.file_start_seconds) ?? 0;
  if (!seconds) return start ? `from ${clock(start)}` : "";
  const range = `${clock(start)} to ${clock(start + seconds)}`;
  if (whole && start + seconds <= whole + ROUNDING) {
    return seconds >= whole - ROUNDING ? clock(whole) : `${range} of ${clock(whole)}`;
  }
  if (!track.fid) return range;
  return `${clock(seconds)} long${start ? `, from ${clock(start)} of the recording` : ""}`;
}

// e.g. ["slow, strings", "about 72 beats per minute", "D minor", "instrumental"]
export function music(track) {
  const parts = [track.music_tags];
  if (track.tempo) parts.push(`about ${Math.round(track.tempo)} beats per minute`);
  parts.push(track.key);
  if (Number.isFinite(track.loudness)) parts.push(`${track.loudness.toFixed(1).replace("-", "−")}\u00a0LUFS`);
  const voice = track.vocals >= SUNG ? "vocal" : "instrumental";
  if (Number.isFinite(track.vocals) && !track.music_tags.split(", ").includes(voice)) parts.push(voice);
  return parts;
}
