// The images on show: searched, filtered, sorted, and a page of them at a time, so that any batch stays quick.
import { wantPreview } from "./previews.js";
import { Row } from "./row.js";
import { number } from "./words.js";

const PAGE = 60; // as pages.py
const element = (id) => document.getElementById(id);
const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

// Images that only the server knew come first, by id, which is by arrival; then the files of this page.
const asAdded = (a, b) => a.order - b.order || ((a.id ?? "") < (b.id ?? "") ? -1 : 1);
const score = (item, without) => (item.state === "done" ? item.image.score : without);
const ORDERS = {
  added: asAdded,
  name: (a, b) => words.compare(a.name, b.name) || asAdded(a, b),
  label: (a, b) => (a.label === "") - (b.label === "") || words.compare(a.label, b.label) || asAdded(a, b),
  sure: (a, b) => score(b, -1) - score(a, -1) || asAdded(a, b),
  unsure: (a, b) => score(a, 2) - score(b, 2) || asAdded(a, b),
  latest: (a, b) => words.compare(b.image?.answered ?? "", a.image?.answered ?? "") || asAdded(a, b),
};

export class List {
  #rows = new Map(); // item -> row, of this page only
  #served = new Map(); // id -> what the server itself has written into the page
  #page = 0;
  #batch;

  constructor(batch, { changed, again }) {
    this.#batch = batch;
    this.changed = changed;
    for (const row of element("images").children) this.#served.set(row.dataset.id, row);
    this.#listen(again);
  }

  show(counts) {
    element("tools").hidden = counts.all === 0;
    for (const group of ["all", "done", "failed", "pending"]) element(`count-${group}`).textContent = number(counts[group]);
    const found = this.#found();
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    this.#page = Math.min(this.#page, last);
    this.#place(found.slice(this.#page * PAGE, (this.#page + 1) * PAGE));
    element("none").hidden = counts.all > 0;
    element("no-match").hidden = found.length > 0 || counts.all === 0;
    this.#showPager(found.length, last);
  }

  #found() {
    const filter = document.querySelector("input[name=filter]:checked").value;
    const sought = element("search").value.trim().toLowerCase();
    const fits = (item) =>
      (filter === "all" || item.group === filter) &&
      (!sought || item.name.toLowerCase().includes(sought) || item.label.toLowerCase().includes(sought));
    return [...this.#batch.items].filter(fits).sort(ORDERS[element("sort").value]);
  }

  // Only what differs is touched: rows that stay keep their place, their focus and their open details.
  #place(items) {
    const list = element("images");
    const rows = new Map(items.map((item) => [item, this.#rows.get(item) ?? this.#newRow(item)]));
    this.#rows = rows;
    const keep = new Set([...rows.values()].map((row) => row.element));
    for (const child of [...list.children]) if (!keep.has(child)) child.remove();
    let next = list.firstElementChild;
    for (const row of rows.values()) {
      row.show();
      if (row.element === next) next = next.nextElementSibling;
      else list.insertBefore(row.element, next);
      wantPreview(row.item, this.changed);
    }
  }

  #newRow(item) {
    const served = this.#served.get(item.id);
    this.#served.delete(item.id);
    return new Row(served, item);
  }

  #showPager(found, last) {
    element("pager").hidden = last === 0;
    const first = this.#page * PAGE;
    element("place").textContent = `${number(first + 1)} to ${number(Math.min(found, first + PAGE))} of ${number(found)}`;
    element("previous").disabled = this.#page === 0;
    element("next").disabled = this.#page === last;
  }

  #listen(again) {
    const anew = () => {
      this.#page = 0;
      this.changed();
    };
    element("tools").addEventListener("input", anew);
    element("tools").addEventListener("submit", (event) => event.preventDefault());
    element("no-match").querySelector("button").addEventListener("click", () => {
      element("tools").reset();
      anew();
      element("search").focus();
    });
    for (const [id, step] of [["previous", -1], ["next", 1]]) {
      element(id).addEventListener("click", () => {
        this.#page += step;
        this.changed();
        element("tools").scrollIntoView();
      });
    }
    element("images").addEventListener("click", (event) => {
      if (!event.target.matches(".retry")) return;
      const row = [...this.#rows.values()].find((one) => one.element.contains(event.target));
      again([row.item]);
    });
  }
}
