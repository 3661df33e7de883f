// Files that were chosen but not sent when this page was last closed: chosen again, only those are sent.
import { rememberUnsent, unsent } from "./remembered.js";
import { some } from "./words.js";

const element = (id) => document.getElementById(id);
const mark = (name, bytes) => JSON.stringify([name, bytes]);

export class Leftover {
  #batch;
  #missing; // [name, bytes]
  #kept = null; // as it was written last by this page

  constructor(batch) {
    this.#batch = batch;
    this.#missing = batch.id ? unsent(batch.id) : [];
    element("left-over").querySelector("button").addEventListener("click", () => {
      this.#missing = [];
      this.keep();
      this.#show();
    });
    this.#show();
  }

  // Those of the files that are to be sent; without anything left over, all.
  sift(files) {
    if (!this.#missing.length) return files;
    const missing = this.#missing.map(([name, bytes]) => mark(name, bytes));
    const sent = files.filter((file) => {
      const place = missing.indexOf(mark(file.name, file.size));
      if (place >= 0) missing.splice(place, 1);
      return place >= 0 || !this.#batch.has(file);
    });
    this.#missing = missing.map((one) => JSON.parse(one));
    this.#show(files.length - sent.length);
    return sent;
  }

  // Write down what would be left over if the page were closed now.
  keep() {
    if (!this.#batch.id) return;
    const open = [...this.#batch.items].filter((item) => ["waiting", "sending", "unsent"].includes(item.state));
    const left = [...this.#missing.map(([name, bytes]) => ({ name, bytes })), ...open];
    const written = left.map((item) => mark(item.name, item.bytes)).join();
    if (written === this.#kept) return;
    this.#kept = written;
    rememberUnsent(this.#batch.id, left);
  }

  #show(skipped = 0) {
    const words = [];
    if (skipped) words.push(`Left out ${some(skipped, "file")} that this batch has already.`);
    if (this.#missing.length) {
      words.push(`${some(this.#missing.length, "file")} had not been sent when this page was closed.`);
      words.push("Choose the same files or folder again: only what is missing is sent.");
    }
    element("left-over").hidden = words.length === 0;
    element("left-over").querySelector("p").textContent = words.join(" ");
    element("left-over").querySelector("button").textContent = this.#missing.length ? "Forget them" : "Close";
  }
}
