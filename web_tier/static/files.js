// The files that a person drops, pastes or chooses; of folders, all that they hold.
export async function dropped(transfer) {
  // Entries must be taken before the first pause: the browser empties the transfer after the event.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const files = [];
  for (const entry of entries) await gather(entry, files);
  return files.filter(wanted);
}

export function chosen(files) {
  return [...files].filter(wanted);
}

export function pasted(transfer) {
  return [...(transfer?.files ?? [])];
}

// Folders hold files that nobody means to send, such as .DS_Store.
function wanted(file) {
  return !file.name.startsWith(".") && !["Thumbs.db", "desktop.ini"].includes(file.name);
}

async function gather(entry, files) {
  if (entry.isFile) {
    files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    return;
  }
  const reader = entry.createReader();
  // A reader gives about a hundred entries at a time, and none at the end.
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return;
    for (const child of part) await gather(child, files);
  }
}
