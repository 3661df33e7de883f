// What happens to the batch, as the server tells it: by server-sent events, or by asking where there is no stream.
import { refusal } from "./words.js";

const POLL = 2000;
// After how many answers to ask for a stream again.
const POLLS = 5;
// A short break is not worth a word, in milliseconds.
const PATIENCE = 4000;

export class Stream {
  #batch;
  #source = null;
  #timer = null;
  #complaint = null;
  #revision = 0;
  #again = false; // whether it was asked to follow while it did
  #tell;

  // `tell` hears of trouble in words, of its end as null, and "deleted" once the batch is gone.
  constructor(batch, tell) {
    this.#batch = batch;
    this.#tell = tell;
  }

  // Follow the batch from where we are, unless that is under way or nobody looks.
  follow() {
    if (document.hidden) return;
    this.#again = this.#source !== null || this.#timer !== null;
    if (this.#again) return;
    const source = new EventSource(`/api/v1/batches/${this.#batch.id}/events?since=${this.#revision}`);
    this.#source = source;
    source.addEventListener("open", () => this.#well());
    source.addEventListener("image", (event) => {
      this.#batch.meet(JSON.parse(event.data));
      if (event.lastEventId) this.#revision = Number(event.lastEventId);
    });
    source.addEventListener("counts", (event) => {
      this.#batch.allTold();
      if (JSON.parse(event.data).total || this.#batch.counts().pending) return;
      // An empty batch may stay so for good, unless an answer says that it is being filled.
      this.#close();
      this.#poll(1);
    });
    source.addEventListener("end", (event) => this.#end(JSON.parse(event.data).reason));
    source.addEventListener("error", () => {
      this.#ill();
      if (source.readyState !== EventSource.CLOSED) return;
      this.#source = null;
      this.#poll(POLLS);
    });
  }

  // While nobody looks: a browser opens six connections to a server over all its tabs, and a stream holds one.
  pause() {
    this.#close();
    clearTimeout(this.#complaint);
    this.#complaint = null;
    if (!this.#timer) return; // an answer under way ends it
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #poll(left) {
    this.#timer = 0;
    let pause = POLL;
    try {
      const response = await fetch(`/api/v1/batches/${this.#batch.id}?since=${this.#revision}`, {
        headers: { Accept: "application/json" },
      });
      if (response.status === 404) return this.#end("deleted");
      if (refusal(response.status)) return this.#refused(refusal(response.status));
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      const news = await response.json();
      this.#well();
      this.#revision = news.revision;
      for (const image of news.images) this.#batch.meet(image);
      if (news.more) pause = 0;
      else this.#batch.allTold();
      // What lies under a prefix may still be added to a batch in which nothing waits just now.
      const whole = !news.more && !news.filling;
      const expected = news.counts.pending || (!news.counts.total && this.#batch.counts().pending);
      if (whole && !expected) return this.#end("answered");
    } catch {
      this.#ill();
    }
    if (document.hidden) {
      this.#timer = null;
      return this.pause();
    }
    this.#timer = setTimeout(() => {
      if (left > 1 || pause === 0) return this.#poll(left - 1);
      this.#timer = null;
      return this.follow();
    }, pause);
  }

  #end(reason) {
    this.#close();
    this.#timer = null;
    this.#well();
    this.#batch.allTold();
    if (reason === "deleted") this.#tell("deleted");
    // What has come into the batch since then is told by the next stream.
    else if (this.#again && this.#batch.counts().pending) this.follow();
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  // Nothing comes before the person has signed in again; coming back to this tab follows once more.
  #refused(words) {
    this.#timer = null;
    this.#well();
    this.#tell(words);
  }

  #ill() {
    this.#complaint ??= setTimeout(
      () => this.#tell("The server cannot be reached just now. Results will be here as soon as it can."), PATIENCE,
    );
  }

  #well() {
    clearTimeout(this.#complaint);
    this.#complaint = null;
    this.#tell(null);
  }
}
