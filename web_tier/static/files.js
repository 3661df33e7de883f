// The files that a person drops, pastes or chooses; of folders, all that they hold.

const words = new Intl.Collator("en", { numeric: true });

// Resolves to { files, unreadable }, the second by name.
export async function dropped(transfer) {
  // Entries must be taken before the first pause: the browser empties the transfer after the event.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return { files: chosen(transfer.files), unreadable: [] };
  const found = { files: [], unreadable: [] };
  for (const entry of entries) await gather(entry, found);
  return { ...found, files: found.files.filter(wanted) };
}

// Those of a folder in the order of their names, others as they were chosen.
export function chosen(files) {
  return [...files].filter(wanted).sort((a, b) => words.compare(a.webkitRelativePath, b.webkitRelativePath));
}

export function pasted(transfer) {
  return [...(transfer?.files ?? [])];
}

// Folders hold files that nobody means to send, such as .DS_Store.
function wanted(file) {
  return !file.name.startsWith(".") && !["Thumbs.db", "desktop.ini"].includes(file.name);
}

// One that cannot be read is named, and the others are taken.
async function gather(entry, found) {
  try {
    if (entry.isFile) found.files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    else for (const child of await children(entry)) await gather(child, found);
  } catch {
    found.unreadable.push({ name: entry.name });
  }
}

async function children(folder) {
  const reader = folder.createReader();
  const all = [];
  // A reader gives about a hundred entries at a time, and none at the end.
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return all.sort((a, b) => words.compare(a.name, b.name));
    all.push(...part);
  }
}
