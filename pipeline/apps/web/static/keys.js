// Keys that work anywhere on the page, except in text fields.

import { itemAround } from "./items.js";
import { recalled, remember } from "./memory.js";

const SKIPPED = 5; // seconds
const OFF = "keys.off"; // in local storage
const TYPED = "input:not([type=range], [type=checkbox], [type=radio], [type=button], [type=file]), textarea, select, [contenteditable]";
const PRESSED = "button, a[href], summary, label, input:not(#wave input)"; // elements with their own use of the space bar
const MOVED = "input:not(#wave input)"; // elements with their own use of the arrow keys

const byId = (id) => document.getElementById(id);

export function listenToKeys(player, shortlist) {
  const help = byId("keys");
  const on = byId("keys-on");
  const acts = {
    j: () => player.step(1),
    k: () => player.step(-1),
    s: () => keep(player.current() ?? itemAround(document.activeElement)),
    "?": () => help.showModal(),
    " ": (target) => !target.closest(PRESSED) && player.isOpen() && (player.toggle(), true),
    ArrowLeft: (target) => !target.closest(MOVED) && player.isOpen() && (player.skip(-SKIPPED), true),
    ArrowRight: (target) => !target.closest(MOVED) && player.isOpen() && (player.skip(SKIPPED), true),
  };
  const keep = (item) => item && shortlist.toggle(item);

  document.addEventListener("keydown", (event) => {
    const { target, ctrlKey, metaKey, altKey, repeat } = event;
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const act = acts[name];
    if (!act || !on.checked || ctrlKey || metaKey || altKey || event.defaultPrevented) return;
    if (target.closest?.(TYPED) || document.querySelector("dialog:modal")) return;
    if (repeat && !name.startsWith("Arrow")) return;
    if (act(target) !== false) event.preventDefault();
  });

  for (const button of document.querySelectorAll(".keys-open")) button.addEventListener("click", () => help.showModal());
  on.checked = recalled(OFF) === null;
  on.addEventListener("change", () => remember(OFF, on.checked ? null : "1"));
}
