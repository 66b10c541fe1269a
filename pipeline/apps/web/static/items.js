// What is played and kept: an item is a track with its library and what it was found for,
// {library, track, found: {film, query}}. Elements that show one carry its key, and stand in lists: those are the queue.

const items = new WeakMap();
const painters = [];

// rows of a library change when it is indexed again; a file and where in it do not
export const keyOf = ({ library, track }) => JSON.stringify([library, track.path, track.file_start_seconds ?? null]);

// Lets `node`, whose buttons are there, stand for an item.
export function mark(node, item) {
  items.set(node, item);
  node.dataset.item = keyOf(item);
  for (const painter of painters) painter(node);
}

// `painter(node)` shows on an element what the player or the shortlist knows of its item, now and whenever one is marked
export function paintWith(painter) {
  painters.push(painter);
  return () => document.querySelectorAll("[data-item]").forEach(painter);
}

export const itemAround = (node) => items.get(node?.closest?.("[data-item]"));
export const listAround = (node) => node?.closest("[data-item]")?.parentElement ?? null;

// Calls `act(item, list)` as a button of the class `name` is pressed, in whatever list.
export function onPress(name, act) {
  document.addEventListener("click", ({ target }) => {
    const button = target.closest(`button.${name}`);
    if (button && itemAround(button)) act(itemAround(button), listAround(button));
  });
}

// the item `step` places after the one with `key` in `list`; the first one where that is not in the list
export function neighbour(list, key, step) {
  const nodes = [...(list?.children ?? [])].filter((node) => items.has(node) && items.get(node).track.audio);
  const place = nodes.findIndex((node) => node.dataset.item === key);
  return items.get(place < 0 ? (step > 0 ? nodes[0] : undefined) : nodes[place + step]);
}

export const showing = (key) => [...document.querySelectorAll("[data-item]")].filter((node) => node.dataset.item === key);
