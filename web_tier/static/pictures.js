// Small pictures of this browser's own files, kept so that a batch that is opened again shows them.
const STORE = "pictures";
const MOST = 3000; // of about 5 KB each
let database = null;

export async function keepPicture(id, batch, picture) {
  try {
    const store = (await opened()).transaction(STORE, "readwrite").objectStore(STORE);
    await done(store.put({ id, batch, picture, at: Date.now() }));
    const excess = (await done(store.count())) - MOST;
    if (excess > 0) drop(store.index("at").openCursor(), excess);
  } catch {
    // A full or forbidden storage costs only this comfort.
  }
}

// The picture of an image, or null.
export async function keptPicture(id) {
  try {
    const store = (await opened()).transaction(STORE).objectStore(STORE);
    return (await done(store.get(id)))?.picture ?? null;
  } catch {
    return null;
  }
}

export async function forgetPictures(batch) {
  try {
    const store = (await opened()).transaction(STORE, "readwrite").objectStore(STORE);
    await drop(store.index("batch").openCursor(IDBKeyRange.only(batch)), Infinity);
  } catch {
    // What cannot be opened holds nothing either.
  }
}

function opened() {
  database ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("novaburst", 1);
    request.onupgradeneeded = () => {
      const store = request.result.createObjectStore(STORE, { keyPath: "id" });
      store.createIndex("at", "at");
      store.createIndex("batch", "batch");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return database;
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

// Delete up to so many entries from where the cursor is.
function drop(request, most) {
  let left = most;
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      const cursor = request.result;
      if (!cursor || left === 0) return resolve();
      left -= 1;
      cursor.delete();
      return cursor.continue();
    };
    request.onerror = () => reject(request.error);
  });
}
