// What this browser keeps for the page; a browser may be set to keep nothing, or have no room left.

const PREFIX = "soundtracks.";

export function recalled(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

// Returns whether it is kept; null takes it away.
export function remember(name, text) {
  try {
    if (text === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, text);
    return true;
  } catch {
    return false;
  }
}

// Calls `act(text)` as another tab of the same browser changes it.
export function onOther(name, act) {
  window.addEventListener("storage", ({ key, newValue }) => key === PREFIX + name && act(newValue));
}
