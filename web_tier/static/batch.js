// The images of the batch on this page, from both sides: files chosen here, and what the server tells.
import { Item } from "./item.js";

export class Batch {
  #known = new Map(); // the server's id -> item
  #unclaimed = new Map(); // images heard of while uploads run, by id: most are answers to those
  #uploads = 0;
  #tell;

  constructor(id, changed) {
    this.id = id;
    this.items = new Set();
    // Whether all that the server knows has been told.
    this.loaded = id === null;
    // Resolves then.
    this.told = new Promise((resolve) => { this.#tell = resolve; });
    if (this.loaded) this.#tell();
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
    this.#place(image);
    this.changed();
  }

  uploadStarts() {
    this.#uploads += 1;
  }

  // The answer to an upload: the file here is that image there. The stream may have told a worker's answer already;
  // what else it has told may be of an earlier attempt.
  claim(item, image) {
    // It may have come as somebody else's, when the first answer to its upload was lost.
    const double = this.#known.get(image.id);
    if (double && double !== item) this.items.delete(double);
    const told = this.#unclaimed.get(image.id) ?? double?.image;
    item.know(told?.worker ? told : image);
    this.#unclaimed.delete(image.id);
    this.#known.set(image.id, item);
  }

  uploadEnds() {
    this.#uploads -= 1;
    if (this.#uploads) return;
    const told = [...this.#unclaimed.values()];
    this.#unclaimed.clear();
    for (const image of told) this.#place(image);
    this.changed();
  }

  allTold() {
    this.loaded = true;
    this.#tell();
    this.changed();
  }

  counts() {
    const counts = { all: this.items.size, done: 0, failed: 0, pending: 0, local: 0 };
    for (const item of this.items) {
      counts[item.group] += 1;
      if (item.local) counts.local += 1;
    }
    return counts;
  }

  ofState(state) {
    return [...this.items].filter((item) => item.state === state);
  }

  #place(image) {
    const item = this.#known.get(image.id);
    if (item?.local || (!item && this.#uploads)) this.#unclaimed.set(image.id, image);
    else if (!item) this.#join(image);
    // A file that could not be stored may have gone again as another image.
    else if (item.id === image.id) item.know(image);
  }

  #join(image) {
    const item = new Item({ image });
    this.#known.set(image.id, item);
    this.items.add(item);
  }
}
