// Elements and texts used by all parts of the page.

const PARTS = { image: "the image", tags: "the tags", plot: "the synopsis" };
const ORDINALS = new Intl.PluralRules("en", { type: "ordinal" });
const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };

export function element(tag, name = "", text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
}

// untrusted text in its own direction, without effect on the text around it
export const isolated = (text) => element("bdi", "", text);

// Returns `node` with untrusted texts appended.
export function parted(node, texts, between = " · ") {
  texts.filter(Boolean).forEach((text, place) => node.append(...(place ? [between] : []), isolated(String(text))));
  return node;
}

export function button(text, name, act) {
  const made = element("button", "quiet", text);
  made.type = "button";
  made.setAttribute("aria-label", name);
  made.addEventListener("click", act);
  return made;
}

export function link(href, text) {
  const made = element("a", "", text);
  made.href = href;
  made.target = "_blank";
  made.rel = "noopener noreferrer";
  return made;
}

export function clock(seconds) {
  const whole = Math.floor(seconds); // as players show it
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, two(whole % 60)];
  return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

export const ordinal = (place) => `${place.toLocaleString("en")}${ENDINGS[ORDINALS.select(place)]}`;
export const number = (value) => value.toFixed(2).replace("-", "−");
export const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
export const capital = (text) => text[0].toUpperCase() + text.slice(1);
export const named = (part) => PARTS[part] ?? part;

export function listed(parts) {
  const words = parts.map(named);
  return words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words.join("");
}

export const clipped = (text, most) => (text.length > most ? `${text.slice(0, most).trimEnd()}…` : text);
