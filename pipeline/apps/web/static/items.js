// Items that can be played and shortlisted: a track with its library and the query that found it,
// {library, track, found: {film, query}}. The element of an item has its key; the list around it is the queue.

const items = new WeakMap();
const painters = [];

// a file and a start, since rows change when a library is reindexed
export const keyOf = ({ library, track }) => JSON.stringify([library, track.path, track.file_start_seconds ?? null]);

// Makes `node`, with its buttons, the element of an item.
export function mark(node, item) {
  items.set(node, item);
  node.dataset.item = keyOf(item);
  for (const painter of painters) painter(node);
}

// `painter(node)` shows an item's state in the player or shortlist; called for each marked element, and by the returned function
export function paintWith(painter) {
  painters.push(painter);
  return () => document.querySelectorAll("[data-item]").forEach(painter);
}

export const itemAround = (node) => items.get(node?.closest?.("[data-item]"));
export const listAround = (node) => node?.closest("[data-item]")?.parentElement ?? null;

// Calls `act(item, list)` when a button of the class `name` is pressed in any list.
export function onPress(name, act) {
  document.addEventListener("click", ({ target }) => {
    const button = target.closest(`button.${name}`);
    if (button && itemAround(button)) act(itemAround(button), listAround(button));
  });
}

// the item `step` places after the one with `key` in `list`; the first one if there is no such item
export function neighbour(list, key, step) {
  const nodes = [...(list?.children ?? [])].filter((node) => items.has(node) && items.get(node).track.audio);
  const place = nodes.findIndex((node) => node.dataset.item === key);
  return items.get(place < 0 ? (step > 0 ? nodes[0] : undefined) : nodes[place + step]);
}

export const showing = (key) => [...document.querySelectorAll("[data-item]")].filter((node) => node.dataset.item === key);
