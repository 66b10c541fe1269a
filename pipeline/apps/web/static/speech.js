// Texts for screen readers.

const UNITS = [["hour", 3600], ["minute", 60], ["second", 1]];

export function announce(text) {
  const box = document.getElementById("announced");
  box.textContent = "";
  requestAnimationFrame(() => {
    box.textContent = text; // so that the same text twice is read twice
  });
}

// e.g. "1 minute 5 seconds"
export function spoken(seconds) {
  let rest = Math.floor(seconds);
  const words = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) words.push(`${count} ${unit}${count === 1 ? "" : "s"}`);
  }
  return words.join(" ") || "0 seconds";
}
