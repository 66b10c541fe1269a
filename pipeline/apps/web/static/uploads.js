// Uploaded files, stored in this browser by the SHA-256 of their content, so that a link can restore them here.

const STORE = "files";
const AGE = "at"; // index by upload time, in ms since 1970
const KEPT = 20; // files; the oldest are deleted

export async function keep(file) {
  const bytes = await file.arrayBuffer();
  const digest = await sha256(bytes);
  await changed((store) => store.put({ digest, bytes, type: file.type, name: file.name, at: Date.now() })).catch(() => {});
  await forgetOldest().catch(() => {});
  return { digest, name: file.name };
}

// the file of an upload; undefined if this browser does not have it
export async function kept(upload) {
  if (!upload?.digest) return undefined;
  const found = await read((store) => store.get(upload.digest)).catch(() => undefined);
  return found && new File([found.bytes], upload.name, { type: found.type });
}

async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) return [...crypto.getRandomValues(new Uint8Array(32))].map(hex).join(""); // not available over plain HTTP
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map(hex).join("");
}

const hex = (byte) => byte.toString(16).padStart(2, "0");

async function forgetOldest() {
  const digests = await read((store) => store.index(AGE).getAllKeys());
  await changed((store) => digests.slice(0, -KEPT).forEach((digest) => store.delete(digest)));
}

// ---- IndexedDB as promises

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("soundtracks", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "digest" }).createIndex(AGE, AGE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function read(ask) {
  const database = await opened();
  return new Promise((resolve, reject) => {
    const request = ask(database.transaction(STORE).objectStore(STORE));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  }).finally(() => database.close());
}

async function changed(change) {
  const database = await opened();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, "readwrite");
    change(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve();
    transaction.onerror = () => reject(transaction.error);
  }).finally(() => database.close());
}
