// Media keys and the lock screen, if the browser supports them.

import { label } from "./naming.js";

export function openMediaSession({ seek, toggle, step, skip }) {
  const session = navigator.mediaSession;
  if (!session) return { track() {}, state() {}, position() {} };
  const actions = {
    play: () => toggle(true),
    pause: () => toggle(false),
    previoustrack: () => step(-1),
    nexttrack: () => step(1),
    seekbackward: ({ seekOffset }) => skip(-(seekOffset ?? 5)),
    seekforward: ({ seekOffset }) => skip(seekOffset ?? 5),
    seekto: ({ seekTime }) => seek(seekTime),
  };
  for (const [name, act] of Object.entries(actions)) {
    try {
      session.setActionHandler(name, act);
    } catch {
      // not supported by this browser
    }
  }
  return {
    track(track) {
      const artwork = track.image ? [{ src: track.image }] : [];
      session.metadata = new MediaMetadata({ title: label(track), artist: track.artist, album: track.film, artwork });
    },
    state(isOn) {
      session.playbackState = isOn === null ? "none" : isOn ? "playing" : "paused";
    },
    position({ duration, currentTime }) {
      if (Number.isFinite(duration)) session.setPositionState({ duration, position: Math.min(currentTime, duration) });
    },
  };
}
