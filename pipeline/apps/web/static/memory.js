// Local storage with a prefix; a browser may have it disabled or full.

const PREFIX = "soundtracks.";

export function recalled(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

// Returns whether it was stored; null removes the entry.
export function remember(name, text) {
  try {
    if (text === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, text);
    return true;
  } catch {
    return false;
  }
}

// Calls `act(text)` when another tab of the same browser changes the entry.
export function onOther(name, act) {
  window.addEventListener("storage", ({ key, newValue }) => key === PREFIX + name && act(newValue));
}
