// One image in the list.
import { percent } from "./words.js";

const PENDING = { waiting: "Waiting to be sent…", sending: "Sending…", pending: "Waiting for a worker…" };

export class Row {
  #shown = -1;

  constructor(element, item) {
    this.element = element ?? document.getElementById("row").content.firstElementChild.cloneNode(true);
    this.item = item;
  }

  show() {
    const { item } = this;
    if (this.#shown === item.version) return;
    this.#shown = item.version;
    this.element.className = `image ${item.group}`;
    this.element.dataset.id = item.id ?? "";
    this.#text("name", item.name);
    this.#part("name").title = item.name;
    this.#text("label", this.#headline());
    this.#showScore();
    this.#part("upload").hidden = item.state !== "sending";
    this.#part("upload").value = item.sent;
    this.#part("error").hidden = item.group !== "failed";
    this.#text("error", item.group === "failed" ? item.trouble : "");
    this.#part("error").title = item.image?.error?.detail ?? "";
    this.#part("retry").hidden = !item.retry;
    this.#part("retry").setAttribute("aria-label", `Try again: ${item.name}`);
    this.#showPreview();
  }

  #headline() {
    const { item } = this;
    if (item.state === "done") return item.label;
    if (item.group === "pending") return PENDING[item.state];
    return item.state === "failed" ? "Not classified" : "Not sent";
  }

  #showScore() {
    const { item } = this;
    const done = item.state === "done";
    this.#text("score", done ? percent(item.image.score) : "");
    const meter = this.#part("confidence");
    meter.hidden = !done;
    this.#part("more").hidden = !done;
    if (!done) return;
    meter.value = item.image.score;
    meter.setAttribute("aria-label", `Confidence in ${item.label}`);
    const list = this.#part("top5");
    if (list.childElementCount !== item.image.top5.length) list.replaceChildren(...item.image.top5.map(guessLine));
  }

  #showPreview() {
    const thumb = this.#part("thumb");
    if (!this.item.preview || thumb.firstElementChild) return;
    const image = new Image();
    image.alt = "";
    image.decoding = "async";
    image.src = this.item.preview;
    thumb.append(image);
  }

  #part(kind) {
    return this.element.querySelector(`.${kind}`);
  }

  #text(kind, words) {
    const part = this.#part(kind);
    if (part.textContent !== words) part.textContent = words;
  }
}

function guessLine(guess) {
  const line = document.getElementById("guess").content.firstElementChild.cloneNode(true);
  line.querySelector(".guess").textContent = guess.label;
  line.querySelector("meter").value = guess.score;
  line.querySelector("meter").setAttribute("aria-label", `Confidence in ${guess.label}`);
  line.querySelector(".score").textContent = percent(guess.score);
  return line;
}
