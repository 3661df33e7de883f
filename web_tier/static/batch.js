// The images of the batch on this page, from both sides: files chosen here, and what the server tells.
import { Item } from "./item.js";

export class Batch {
  #known = new Map(); // the server's id -> item
  #unclaimed = new Map(); // ids heard of while uploads run: most are answers to those
  #uploads = 0;

  constructor(id, changed) {
    this.id = id;
    this.items = new Set();
    // Whether all that the server knows has been told.
    this.loaded = id === null;
    this.changed = changed;
  }

  add(files) {
    const items = files.map((file) => new Item({ file }));
    for (const item of items) this.items.add(item);
    this.changed();
    return items;
  }

  // The server's word on an image.
  meet(image) {
    const item = this.#known.get(image.id);
    if (item) item.know(image);
    else if (this.#uploads) this.#unclaimed.set(image.id, image);
    else this.#join(image);
    this.changed();
  }

  uploadStarts() {
    this.#uploads += 1;
  }

  // The answer to an upload: the file here is that image there. The stream may have told more of it already.
  claim(item, image) {
    // It may have come as somebody else's, when the first answer to its upload was lost.
    const double = this.#known.get(image.id);
    if (double && double !== item) this.items.delete(double);
    item.know(this.#unclaimed.get(image.id) ?? double?.image ?? image);
    this.#unclaimed.delete(image.id);
    this.#known.set(image.id, item);
  }

  uploadEnds() {
    this.#uploads -= 1;
    if (this.#uploads) return;
    for (const image of this.#unclaimed.values()) this.#join(image);
    this.#unclaimed.clear();
    this.changed();
  }

  allTold() {
    this.loaded = true;
    this.changed();
  }

  // Whether an image of this name and size is on the server.
  has(file) {
    return [...this.#known.values()].some((item) => item.name === file.name && item.image.bytes === file.size);
  }

  counts() {
    const counts = { all: this.items.size, done: 0, failed: 0, pending: 0, local: 0 };
    for (const item of this.items) {
      counts[item.group] += 1;
      if (item.state === "waiting" || item.state === "sending") counts.local += 1;
    }
    return counts;
  }

  ofState(state) {
    return [...this.items].filter((item) => item.state === state);
  }

  #join(image) {
    const item = new Item({ image });
    this.#known.set(image.id, item);
    this.items.add(item);
  }
}
