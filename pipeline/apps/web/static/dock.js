// The player's bar at the bottom of the window.

import { drawIcons } from "./icons.js";
import { showing } from "./items.js";
import { recalled, remember } from "./memory.js";
import { credits, label } from "./naming.js";
import { capital, clock, element, isolated, link, parted } from "./small.js";
import { announce } from "./speech.js";
import { createWaveform } from "./waveform.js";

const VOLUME = "volume"; // in the memory

const byId = (id) => document.getElementById(id);

export function openDock({ seek, toggle, step, close, star }) {
  const dock = byId("dock");
  const wave = createWaveform(byId("wave"), seek);
  const audios = [...dock.querySelectorAll("audio")];
  const buttons = { previous: () => step(-1), next: () => step(1), toggle, star, close };
  const peaks = new Map(); // by address: a promise of the answer
  let shown = null; // the track

  drawIcons(dock);
  for (const [name, act] of Object.entries(buttons)) byId(`dock-${name}`).addEventListener("click", () => act());
  listenToVolume(byId("dock-volume"), audios);
  new ResizeObserver(() => {
    document.documentElement.style.setProperty("--dock", `${dock.offsetHeight}px`);
  }).observe(dock);

  function peaksOf(track) {
    const address = track.audio.replace(/audio$/, "peaks");
    if (!peaks.has(address)) peaks.set(address, fetch(address).then((response) => (response.ok ? response.json() : null)).catch(() => null));
    return peaks.get(address);
  }

  async function draw(track, segment) {
    wave.draw(null, segment);
    measure(track.fid ? track.seconds : track.recording_seconds);
    const found = await peaksOf(track);
    if (shown === track && found) wave.draw(found.peaks, segment);
  }

  function measure(seconds) {
    wave.measure(seconds);
    byId("dock-length").textContent = Number.isFinite(seconds) ? clock(seconds) : "";
  }

  return {
    audios,

    open({ track }, segment) {
      shown = track;
      byId("dock-problem").hidden = true;
      byId("dock-name").replaceChildren(isolated(label(track)));
      byId("dock-credits").replaceChildren();
      parted(byId("dock-credits"), credits(track));
      draw(track, segment);
      this.at(segment?.start ?? 0);
      dock.hidden = false;
      announce(`Playing ${label(track)}`);
    },

    measure,
    prepare: peaksOf,

    at(seconds) {
      wave.place(seconds);
      byId("dock-at").textContent = clock(seconds);
    },

    state({ isOn, hasPrevious, hasNext, isKept }) {
      byId("dock-toggle").setAttribute("aria-pressed", String(isOn));
      byId("dock-star").setAttribute("aria-pressed", String(isKept));
      byId("dock-previous").setAttribute("aria-disabled", String(!hasPrevious)); // which keeps the focus
      byId("dock-next").setAttribute("aria-disabled", String(!hasNext));
    },

    // why a file does not play: asks the server whether it exists
    async explain(track) {
      const answer = await fetch(track.audio, { headers: { Range: "bytes=0-0" } }).catch(() => null);
      const why = await reason(answer);
      if (shown !== track) return;
      const box = byId("dock-problem");
      box.replaceChildren(...(why ? [`${why} `] : ["This browser cannot play the file. ", link(track.audio, "Open it"), " "]));
      box.append(element("span", "hint", "Press J for the next track."));
      box.hidden = false;
    },

    close(key) {
      shown = null;
      const hadFocus = dock.contains(document.activeElement);
      dock.hidden = true;
      if (hadFocus) showing(key)[0]?.querySelector("button.play")?.focus();
    },
  };
}

async function reason(answer) {
  if (!answer) return "The server is not responding. Is it still running?";
  if (answer.ok) return "";
  const { error } = await answer.json().catch(() => ({}));
  return `${capital(error ?? `the server responded with status ${answer.status}`)}.`;
}

function listenToVolume(slider, audios) {
  const apply = () => {
    for (const audio of audios) audio.volume = slider.value;
    slider.setAttribute("aria-valuetext", `${Math.round(100 * slider.value)} %`);
  };
  slider.addEventListener("input", () => {
    apply();
    remember(VOLUME, slider.value);
  });
  const kept = Number.parseFloat(recalled(VOLUME));
  if (kept >= 0 && kept <= 1) slider.value = kept;
  apply();
}
