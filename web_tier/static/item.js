// One image of the batch: a file of this browser, what the server says of it, or both.
let made = 0;

export class Item {
  constructor({ file = null, image = null }) {
    // Files of this page in the order of choice; after all that only the server knew of.
    this.order = file ? (made += 1) : 0;
    this.file = file;
    this.image = image;
    this.name = file ? file.name : image.name;
    this.bytes = file ? file.size : image.bytes;
    // "waiting", "sending", "unsent" or "refused" until the server has it, then the server's "pending", "done", "failed".
    this.state = image ? image.state : "waiting";
    // Why it was not sent, in words.
    this.fault = null;
    // Whether sending it again may help.
    this.retry = false;
    // The part of its bytes that is sent, 0 to 1.
    this.sent = 0;
    // The address of a small picture of it; null until wanted, "" until made or when there is none.
    this.preview = null;
    // That picture, as long as it is not kept for the next visit.
    this.picture = null;
    // Counts changes, so that a row knows whether it is up to date.
    this.version = 0;
  }

  get id() {
    return this.image?.id ?? null;
  }

  // Whether it is on its way to the server, for the first time or again.
  get local() {
    return this.state === "waiting" || this.state === "sending";
  }

  // "done", "failed" or "pending", as the filter calls them.
  get group() {
    if (this.state === "done") return "done";
    return ["failed", "unsent", "refused"].includes(this.state) ? "failed" : "pending";
  }

  get label() {
    return this.image?.label ?? "";
  }

  // What to do about it, in words.
  get trouble() {
    return this.fault ?? this.image?.error?.remedy ?? null;
  }

  become(state, { fault = null, retry = false } = {}) {
    this.state = state;
    this.fault = fault;
    this.retry = retry;
    this.version += 1;
  }

  // The server's word on it. What it could not store is unsent as long as this page has the file.
  know(image) {
    this.image = image;
    this.name = image.name;
    const lost = this.file && image.error?.code === "not_stored";
    if (lost) this.become("unsent", { fault: image.error.remedy, retry: true });
    else this.become(image.state);
  }

  progress(part) {
    this.sent = part;
    this.version += 1;
  }
}
