// What this browser remembers: the batches it has seen, and the files of a batch that were not sent yet.
const BATCHES = "novaburst-batches";
const UNSENT = "novaburst-unsent-";
const MOST_BATCHES = 12;
const MOST_FILES = 5000;

export function batches() {
  return read(BATCHES) ?? [];
}

// The newest first; what is known of the batch replaces what was known before.
export function rememberBatch(id, about) {
  const known = batches();
  const before = known.find((batch) => batch.id === id);
  const others = known.filter((batch) => batch.id !== id);
  const batch = { opened: Date.now(), ...before, ...about, id };
  write(BATCHES, [batch, ...others].slice(0, MOST_BATCHES));
}

export function forgetBatch(id) {
  write(BATCHES, batches().filter((batch) => batch.id !== id));
  write(UNSENT + id, []);
}

// [name, bytes] of each file.
export function unsent(id) {
  return read(UNSENT + id) ?? [];
}

export function rememberUnsent(id, items) {
  write(UNSENT + id, items.slice(0, MOST_FILES).map((item) => [item.name, item.bytes]));
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null; // written by another version
  }
}

function write(key, value) {
  try {
    if (value.length) localStorage.setItem(key, JSON.stringify(value));
    else localStorage.removeItem(key);
  } catch {
    // A full or forbidden storage costs only this comfort.
  }
}
