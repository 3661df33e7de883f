// Files that were chosen but not sent when a page was closed: chosen again, none is taken twice.
import { rememberUnsent, unsent, whenUnsentChanges } from "./remembered.js";
import { some } from "./words.js";

// The server knows a request by its key for a day; an hour of that is for sending it. In milliseconds.
const KEY_KEPT = 23 * 3_600_000;
// Within this time every other open page has answered, in milliseconds.
const PATIENCE = 500;
const UNSENT = ["waiting", "sending", "unsent"];
// The errors of images whose files the server does not have.
const LOST = ["upload_incomplete", "not_stored"];

const element = (id) => document.getElementById(id);
const mark = (name, bytes) => `${bytes} ${name}`;
const arrived = (item) => item.id && !LOST.includes(item.image.error?.code);
const newPage = () => Math.random().toString(36).slice(2);

export class Leftover {
  #batch;
  #page = newPage();
  #pages = new BroadcastChannel("novaburst-pages");
  // Other pages that are open: what they have not sent, they are about to send.
  #open = new Set();
  #waited = false; // whether those have had the time to say so
  #answered;
  #entries = new Map(); // page -> groups { key, made, files: [name, bytes, others] }, as remembered
  // Of a name and size, how many images only the server knew when such a file was chosen: none of them is that file.
  #others = new Map();
  #skipped = 0;
  #kept = "[]"; // as it was written last by this page

  constructor(batch) {
    this.#batch = batch;
    this.#read();
    whenUnsentChanges(() => this.#read());
    this.#meetOtherPages();
    element("left-over").querySelector("button").addEventListener("click", () => {
      this.#skipped = 0;
      this.#replace([]);
    });
  }

  // What to send of the files: `again`, groups that go under the keys that they had, and `fresh`, all others.
  async sift(files) {
    if (!this.#groups().length) return { again: [], fresh: this.#note(files) };
    await Promise.all([this.#answered, this.#batch.told]);
    const [again, fresh, left] = [[], [], []];
    const unused = [...files];
    const groups = this.#groups();
    const missing = this.#missing(groups);
    groups.forEach((group, place) => {
      const { found, lacking } = take(unused, group.files);
      if (!found.length) left.push(group);
      else if (!lacking.length && Date.now() < group.made + KEY_KEPT) again.push({ ...group, found });
      else {
        // A key stands for all of its group, in order: what is still not chosen has none any more.
        const part = take(found, missing[place]);
        fresh.push(...part.found);
        if (part.lacking.length) left.push({ key: null, made: 0, files: part.lacking });
      }
    });
    const there = this.#count(arrived);
    fresh.push(...unused.filter((file) => !there.has(mark(file.name, file.size))));
    const resent = again.flatMap((group) => group.found);
    this.#skipped = files.length - fresh.length - resent.length;
    for (const [name, bytes, others] of again.flatMap((group) => group.files)) this.#others.set(mark(name, bytes), others);
    this.#replace(left);
    return { again, fresh: this.#note(fresh) };
  }

  // Write down what would be left over if the page were closed now.
  keep() {
    this.#show();
    if (!this.#batch.id) return;
    const open = [...this.#batch.items].filter((item) => UNSENT.includes(item.state));
    const claimed = open.length ? this.#count((item) => item.file && arrived(item)) : new Map();
    const file = ({ file: { name, size } }) => {
      const like = mark(name, size);
      return [name, size, (this.#others.get(like) ?? 0) + (claimed.get(like) ?? 0)];
    };
    const groups = [...new Set(open.map((item) => item.request))].map(({ key, made, items }) => {
      const whole = items.every((item) => UNSENT.includes(item.state));
      if (whole) return { key, made, files: items.map(file) };
      return { key: null, made: 0, files: items.filter((item) => UNSENT.includes(item.state)).map(file) };
    });
    const written = JSON.stringify(groups);
    if (written === this.#kept) return;
    this.#kept = written;
    rememberUnsent(this.#batch.id, this.#page, groups);
  }

  #meetOtherPages() {
    const say = (about) => this.#pages.postMessage({ page: this.#page, ...about });
    this.#pages.addEventListener("message", ({ data }) => {
      if (data.open) this.#open.add(data.page);
      else this.#open.delete(data.page);
      if (data.asks) say({ open: true });
      this.#show();
    });
    say({ open: true, asks: true });
    this.#answered = new Promise((resolve) => setTimeout(resolve, PATIENCE)).then(() => {
      this.#waited = true;
      this.#show();
    });
    addEventListener("pagehide", () => {
      this.keep();
      say({ open: false });
    });
    addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      say({ open: true, asks: true });
      this.#read();
    });
  }

  #read() {
    if (this.#batch.id) this.#entries = unsent(this.#batch.id);
    this.#show();
  }

  #closed() {
    return [...this.#entries.keys()].filter((page) => page !== this.#page && !this.#open.has(page));
  }

  // What closed pages have left, whoever sees it first.
  #groups() {
    return this.#closed().flatMap((page) => this.#entries.get(page));
  }

  #replace(groups) {
    for (const page of this.#closed()) rememberUnsent(this.#batch.id, page, []);
    // As of a page that is closed, so that every open one knows of it.
    rememberUnsent(this.#batch.id, newPage(), groups);
    this.#read();
  }

  // Of each group, the files that the server does not have: it takes those of a body as they come, long before it answers.
  #missing(groups) {
    const there = this.#count((item) => !item.file && arrived(item));
    const spare = new Map();
    return groups.map((group) => group.files.filter(([name, bytes, others]) => {
      const like = mark(name, bytes);
      const left = spare.get(like) ?? (there.get(like) ?? 0) - others;
      spare.set(like, left - 1);
      return left <= 0;
    }));
  }

  #note(files) {
    const open = this.#count((item) => UNSENT.includes(item.state));
    const others = this.#count((item) => !item.file && arrived(item));
    for (const like of files.map((file) => mark(file.name, file.size))) {
      if (!open.has(like)) this.#others.set(like, others.get(like) ?? 0);
    }
    return files;
  }

  // How many of the items that fit there are of each name and size.
  #count(fits) {
    const counts = new Map();
    for (const item of this.#batch.items) {
      if (!fits(item)) continue;
      const like = item.file ? mark(item.file.name, item.file.size) : mark(item.name, item.image.bytes);
      counts.set(like, (counts.get(like) ?? 0) + 1);
    }
    return counts;
  }

  #show() {
    // Before that it is not known whose they are, and which of them are there.
    const known = this.#waited && this.#batch.loaded;
    const missing = known ? this.#missing(this.#groups()).flat().length : 0;
    const words = [];
    if (this.#skipped) words.push(`Left out ${some(this.#skipped, "file")} that this batch has already.`);
    if (missing) {
      words.push(`${some(missing, "file")} had not been sent when this page was closed.`);
      words.push("Choose the same files or folder again: none is taken twice.");
    }
    element("left-over").hidden = words.length === 0;
    element("left-over").querySelector("p").textContent = words.join(" ");
    element("left-over").querySelector("button").textContent = missing ? "Forget them" : "Close";
  }
}

// Take the files of these names and sizes out of `files`, in this order; `lacking` are those that it does not hold.
function take(files, wanted) {
  const [found, lacking] = [[], []];
  for (const one of wanted) {
    const place = files.findIndex((file) => file.size === one[1] && file.name === one[0]);
    if (place < 0) lacking.push(one);
    else found.push(...files.splice(place, 1));
  }
  return { found, lacking };
}
