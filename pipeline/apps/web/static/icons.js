// The icons of buttons, drawn in a square of 24.

const NS = "http://www.w3.org/2000/svg";
const PATHS = {
  play: "M8 5v14l11-7z",
  pause: "M6.5 5h4v14h-4zM13.5 5h4v14h-4z",
  next: "M5 5l9.5 7L5 19zM16 5h3v14h-3z",
  previous: "M19 5v14l-9.5-7zM5 5h3v14H5z",
  star: "M12 3.6l2.6 5.3 5.8.8-4.2 4.1 1 5.8-5.2-2.7-5.2 2.7 1-5.8L3.6 9.7l5.8-.8z",
  close: "M6 6l12 12M18 6L6 18",
  up: "M12 19V6M6.5 11L12 5.5 17.5 11",
  down: "M12 5v13M6.5 13l5.5 5.5 5.5-5.5",
  remove: "M5 7h14M9.5 7V4.5h5V7M7 7l.8 12.5h8.4L17 7",
  volume: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.5 4.5 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
};

export function icon(name) {
  const drawing = document.createElementNS(NS, "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("class", `icon ${name}`);
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(NS, "path");
  path.setAttribute("d", PATHS[name]);
  drawing.append(path);
  return drawing;
}

// buttons in templates name their icons in `data-icon`
export function drawIcons(root) {
  for (const node of root.querySelectorAll("[data-icon]")) for (const name of node.dataset.icon.split(" ")) node.append(icon(name));
}
