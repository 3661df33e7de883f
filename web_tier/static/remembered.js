// What this browser remembers: the batches it has seen, and what the pages of a batch had not sent yet.
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
  for (const key of keys(UNSENT + id)) write(key, []);
}

// Each page writes an entry of its own, so that none overwrites another's: page -> groups { key, made, files }.
export function unsent(batch) {
  const start = entry(batch, "");
  return new Map(keys(start).map((key) => [key.slice(start.length), read(key) ?? []]));
}

export function rememberUnsent(batch, page, groups) {
  let room = MOST_FILES;
  write(entry(batch, page), groups.filter((group) => (room -= group.files.length) >= 0));
}

// Another page has written or forgotten some.
export function whenUnsentChanges(heard) {
  addEventListener("storage", ({ key }) => {
    if (key === null || key.startsWith(UNSENT)) heard();
  });
}

function entry(batch, page) {
  return `${UNSENT}${batch}:${page}`;
}

function keys(start) {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(start));
  } catch {
    return []; // a forbidden storage
  }
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
