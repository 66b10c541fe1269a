// The player at the bottom of the window: one file plays, and the next one of the list is loaded meanwhile.
//
// The queue is the list on the page that contains the track. A segment of a longer file plays from its start to its end;
// after seeking outside the segment, playback continues to the end of the file.

import { openDock } from "./dock.js";
import { keyOf, neighbour, onPress, paintWith, showing } from "./items.js";
import { openMediaSession } from "./mediasession.js";
import { segmentOf } from "./naming.js";
import { announce } from "./speech.js";

const ENDING = 0.05; // seconds before the end that count as the end

export function createPlayer(shortlist) {
  const star = () => item && shortlist.toggle(item);
  const dock = openDock({ seek, toggle, step, close, star });
  const session = openMediaSession({ seek, toggle, step, skip });
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
  let [audio, spare] = dock.audios;
  let item = null; // in the dock
  let list = null; // the item was started from
  let segment = null;
  let until = Infinity; // seconds into the file at which the next track starts
  let sought = null; // position to start at, until the file is open
  let isDrawing = false;

  const key = () => (item ? keyOf(item) : "");
  const isOn = () => item !== null && !audio.paused;
  const queue = () => (list?.isConnected ? list : document.querySelector("ol.tracks"));
  const beside = (by) => neighbour(queue(), key(), by);

  const repaint = paintWith((node) => {
    const isIt = node.dataset.item === key();
    node.classList.toggle("current", isIt);
    node.querySelector("button.play")?.setAttribute("aria-pressed", String(isIt && isOn()));
  });

  function show() {
    dock.state({ isOn: isOn(), hasPrevious: Boolean(beside(-1)), hasNext: Boolean(beside(1)), isKept: item !== null && shortlist.has(item) });
    session.state(item && isOn());
    repaint();
  }

  // ---- playback

  function play(chosen, from) {
    list = from;
    if (item && keyOf(chosen) === key() && !audio.error) return toggle();
    audio.pause();
    item = chosen;
    segment = segmentOf(item.track);
    until = segment?.end ?? Infinity;
    sought = null;
    if (spare.dataset.key === key() && !spare.error) {
      [audio, spare] = [spare, audio];
      empty(spare);
    } else open(audio, item);
    dock.open(item, segment);
    if (audio.readyState) measured();
    session.track(item.track);
    start();
    show();
  }

  function start() {
    audio.play().catch(() => show()); // blocked until a click, or not an audio file: then `error` fires
  }

  function toggle(on = audio.paused) {
    if (!item || on !== audio.paused) return;
    if (!on) return audio.pause();
    if (audio.ended || audio.currentTime >= until - ENDING) seek(segment?.start ?? 0);
    start();
  }

  function step(by) {
    const found = beside(by);
    if (found) play(found, queue());
    else if (item) announce(by > 0 ? "This is the last track" : "This is the first track");
    if (found) showing(key()).find((node) => node.parentElement === list)?.scrollIntoView({ block: "nearest" });
  }

  function seek(seconds) {
    if (!item) return;
    const to = Math.max(0, Number.isFinite(audio.duration) ? Math.min(seconds, audio.duration - ENDING) : seconds);
    until = segment && to >= segment.start && to < segment.end ? segment.end : Infinity;
    if (audio.readyState) audio.currentTime = to;
    else sought = to;
    dock.at(to);
  }

  function skip(seconds) {
    seek((sought ?? audio.currentTime) + seconds);
  }

  function close() {
    for (const one of dock.audios) empty(one);
    dock.close(key());
    item = null;
    show();
  }

  // ---- files

  function open(one, { track, library }) {
    const start = segmentOf(track)?.start;
    one.dataset.key = keyOf({ track, library });
    one.preload = "auto";
    one.src = start ? `${track.audio}#t=${start}` : track.audio;
  }

  function empty(one) {
    one.pause();
    delete one.dataset.key;
    one.removeAttribute("src");
    one.load();
  }

  function prepare() {
    const after = beside(1);
    if (!after || spare.dataset.key === keyOf(after)) return;
    open(spare, after);
    dock.prepare(after.track);
  }

  function measured() {
    if (sought !== null) audio.currentTime = sought;
    sought = null;
    dock.measure(audio.duration);
    session.position(audio);
  }

  function tick() {
    dock.at(sought ?? audio.currentTime);
    if (isOn() && audio.currentTime >= until) ended();
  }

  function frame() {
    isDrawing = isOn() && !isCalm.matches;
    if (!isDrawing) return;
    tick();
    requestAnimationFrame(frame);
  }

  function ended() {
    audio.pause();
    const found = beside(1);
    if (found) play(found, queue()); // without scrolling the page
  }

  const handlers = {
    loadedmetadata: measured,
    play: show,
    pause: show,
    playing: () => {
      prepare();
      if (!isDrawing) frame();
    },
    seeked: () => session.position(audio),
    timeupdate: tick,
    ended,
    error: () => {
      show();
      dock.explain(item.track);
    },
  };
  for (const one of dock.audios) {
    for (const [name, handle] of Object.entries(handlers)) {
      one.addEventListener(name, () => one === audio && item && one.hasAttribute("src") && handle());
    }
  }
  onPress("play", play);
  shortlist.onChange(show);

  return { toggle, step, skip, pause: () => audio.pause(), current: () => item, isOpen: () => item !== null };
}
