// The shortlist's requests to the server, and saving of files.

export function saved(name, content, type) {
  const link = document.createElement("a");
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // once it is saved
}

// Returns each item's current track, null if it is no longer in its library; null if the server does not respond.
export async function looked(items) {
  if (!items.length) return [];
  const response = await post("/api/tracks", { tracks: items.map(named) }).catch(() => null);
  return response?.ok ? (await response.json()).tracks : null;
}

// Saves the items with their notes as a file; throws the server's error message.
export async function exported(format, items) {
  const tracks = items.map((item) => ({
    ...named(item),
    note: item.note,
    found_for: [item.found.film, item.found.query].filter(Boolean).join(": "),
    title: item.track.title,
    artist: item.track.artist,
    film: item.track.film,
  }));
  const response = await post("/api/export", { format, tracks }).catch(() => {
    throw new Error("The server is not responding. Is it still running?");
  });
  if (!response.ok) throw new Error((await response.json()).error);
  saved(`shortlist.${format}`, await response.blob());
}

const named = ({ library, track }) => ({ library, path: track.path, file_start_seconds: track.file_start_seconds ?? null });

const post = (address, data) =>
  fetch(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(data) });
