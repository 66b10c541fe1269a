// The waveform of the current file: the part already played, the matching segment, and a slider.

import { clock } from "./small.js";
import { spoken } from "./speech.js";

const FULL = 255; // of a peak
const LEAST = 0.02; // of the height, so that silence is visible
const BAR = 0.66; // of the width of a peak
const FINEST = 0.1; // seconds

// `seek(seconds)` is called when the slider is moved
export function createWaveform(root, seek) {
  const drawing = root.querySelector("svg");
  const slider = root.querySelector("input");
  const [whole, heard] = drawing.querySelectorAll("path");
  const part = drawing.querySelector(".part");
  const clip = drawing.querySelector("clipPath rect");
  let segment = null;
  let length = 0;
  let said = "";

  slider.step = FINEST;
  slider.addEventListener("input", () => seek(Number(slider.value)));

  function place(seconds) {
    const share = length ? Math.min(1, seconds / length) : 0;
    clip.setAttribute("width", 100 * share);
    slider.value = seconds;
    const words = valueText(seconds);
    if (words !== said) slider.setAttribute("aria-valuetext", words); // not at each frame
    said = words;
  }

  function valueText(seconds) {
    const inside = segment && seconds >= segment.start && seconds < segment.end ? ", in the part that matches" : "";
    return `${spoken(seconds)} of ${spoken(length)}${inside}`;
  }

  function measure(seconds) {
    length = Number.isFinite(seconds) && seconds > 0 ? seconds : 0;
    slider.max = length;
    slider.disabled = !length;
    part.toggleAttribute("hidden", !segment || !length);
    if (!segment || !length) return;
    const end = Math.min(segment.end, length);
    part.setAttribute("x", (100 * segment.start) / length);
    part.setAttribute("width", Math.max(0, (100 * (end - segment.start)) / length));
  }

  return {
    place,
    measure,
    // `peaks` are 0 to 255, one per equal part of the file; without them a plain bar is drawn
    draw(peaks, found) {
      segment = found;
      const shape = peaks?.length ? bars(peaks) : "M0 48.5h100v3H0z";
      whole.setAttribute("d", shape);
      heard.setAttribute("d", shape);
      slider.title = segment ? `The part that matches: ${clock(segment.start)}${Number.isFinite(segment.end) ? ` to ${clock(segment.end)}` : " on"}` : "";
    },
  };
}

function bars(peaks) {
  const step = 100 / peaks.length;
  const loudest = Math.max(...peaks, 1) / FULL;
  return peaks
    .map((peak, place) => {
      const height = 100 * Math.max(LEAST, peak / FULL / loudest);
      return `M${(place * step).toFixed(2)} ${(50 - height / 2).toFixed(1)}h${(BAR * step).toFixed(3)}v${height.toFixed(1)}h-${(BAR * step).toFixed(3)}z`;
    })
    .join("");
}
