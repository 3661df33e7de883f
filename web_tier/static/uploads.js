// Sends files in groups, a few requests at once, each again under the same Idempotency-Key when it fails.
import { refusal } from "./words.js";

const REQUESTS_AT_ONCE = 3;
const GROUP_FILES = 10;
const GROUP_BYTES = 8 * 2 ** 20;
// Pauses before another attempt, in milliseconds; after the last one the person decides.
const PAUSES = [500, 2000];
// A server that asks for a longer pause is asked again by the person, in milliseconds.
const LONGEST_PAUSE = 60_000;
const WORTH_ANOTHER = [408, 409, 410, 422, 425, 429, 502, 503, 504];
// The key belongs to other content, or to images that were deleted since.
const KEY_SPENT = [410, 422];

export class NotSentError extends Error {}

export class Uploads {
  #waiting = []; // groups
  #running = 0;
  #open;
  #batch;
  #answered;

  // `open` gives the batch's id, making it first if need be; `answered` is called after each request.
  constructor(batch, { open, answered, maxBytes, tooLarge }) {
    this.#batch = batch;
    this.#open = open;
    this.#answered = answered;
    this.maxBytes = maxBytes;
    this.tooLarge = tooLarge;
    this.sentBytes = 0;
    this.allBytes = 0;
  }

  add(items) {
    const fit = items.filter((item) => item.bytes <= this.maxBytes);
    for (const item of items) if (item.bytes > this.maxBytes) item.become("refused", { fault: this.tooLarge });
    for (const group of grouped(fit)) this.#enqueue(group);
    this.#next();
  }

  // A group that was under way when its page was closed, as the same request: what of it is there is not taken twice.
  resume(items, { key, made }) {
    this.#enqueue({ ...newGroup(items), key, made });
    this.#next();
  }

  // Whoever did not arrive goes again with the request that it was in, so that none is taken twice.
  again(items) {
    const groups = new Set(items.map((item) => item.request));
    for (const group of groups) {
      if (group.items.every((item) => item.state === "unsent")) this.#enqueue(group);
      else for (const part of grouped(group.items.filter((item) => item.retry))) this.#enqueue(part);
    }
    this.#next();
  }

  #enqueue(group) {
    for (const item of group.items) {
      item.request = group;
      item.sent = 0;
      item.become("waiting");
    }
    if (!this.#running && !this.#waiting.length) this.sentBytes = this.allBytes = 0;
    this.allBytes += group.bytes;
    this.#waiting.push(group);
    this.#batch.changed();
  }

  #next() {
    while (this.#running < REQUESTS_AT_ONCE && this.#waiting.length) {
      this.#running += 1;
      this.#send(this.#waiting.shift()).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }

  async #send(group) {
    this.#batch.uploadStarts();
    try {
      const answer = await this.#attempts(group);
      this.#settle(group, answer);
    } catch (error) {
      if (!(error instanceof NotSentError)) throw error;
      this.#progress(group, group.bytes);
      for (const item of group.items) item.become("unsent", { fault: error.message, retry: true });
    } finally {
      this.#batch.uploadEnds();
      this.#answered();
    }
  }

  async #attempts(group) {
    for (const pause of [...PAUSES, null]) {
      for (const item of group.items) item.become("sending");
      this.#progress(group, 0);
      try {
        return await this.#attempt(group);
      } catch (error) {
        if (pause === null || !error.again || error.after > LONGEST_PAUSE) throw error;
        await new Promise((resolve) => setTimeout(resolve, Math.max(pause, error.after ?? 0)));
      }
    }
    throw new NotSentError("It was not sent.");
  }

  async #attempt(group) {
    const address = `/api/v1/upload?batch=${await this.#open()}`;
    const { status, body, after } = await post(address, group, (bytes) => this.#progress(group, bytes));
    if (body?.images?.length) return body;
    if (KEY_SPENT.includes(status)) Object.assign(group, newKey());
    const gone = status === 404 ? "This batch was deleted or has expired. Start a new batch and add the files there." : null;
    const words = gone ?? refusal(status) ?? body?.remedy ?? body?.detail ?? `The server answered ${status}. Try again in a moment.`;
    throw Object.assign(new NotSentError(words), { again: WORTH_ANOTHER.includes(status), after });
  }

  #settle(group, answer) {
    this.#progress(group, group.bytes);
    group.items.forEach((item, place) => {
      const image = answer.images[place];
      if (image) this.#batch.claim(item, image);
      else item.become("unsent", { fault: answer.shortfall ?? "It did not arrive.", retry: true });
    });
  }

  // A request's bytes are those of its files one after the other, give or take the form's own.
  #progress(group, bytes) {
    this.sentBytes += bytes - group.sentBytes;
    group.sentBytes = bytes;
    let rest = bytes;
    for (const item of group.items) {
      item.progress(Math.min(1, Math.max(0, rest / Math.max(1, item.bytes))));
      rest -= item.bytes;
    }
    this.#batch.changed();
  }
}

function grouped(items) {
  const groups = [];
  for (const item of items) {
    const last = groups.at(-1);
    const fits = last && last.items.length < GROUP_FILES && last.bytes + item.bytes <= GROUP_BYTES;
    if (fits) {
      last.items.push(item);
      last.bytes += item.bytes;
    } else {
      groups.push(newGroup([item]));
    }
  }
  return groups;
}

function newGroup(items) {
  const bytes = items.reduce((sum, item) => sum + item.bytes, 0);
  return { items, bytes, sentBytes: 0, ...newKey() };
}

// crypto.randomUUID is only there on secure origins.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return { key: [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(""), made: Date.now() };
}

function post(address, group, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    for (const item of group.items) form.append("file", item.file, item.file.name);
    request.open("POST", address);
    request.responseType = "json";
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Idempotency-Key", group.key);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress(group.bytes * (event.loaded / event.total));
    });
    request.addEventListener("load", () => {
      const after = 1000 * (Number(request.getResponseHeader("Retry-After")) || 0);
      resolve({ status: request.status, body: request.response, after });
    });
    request.addEventListener("error", () => {
      const words = "The connection broke, or the file can no longer be read. Check the connection, then try again.";
      reject(Object.assign(new NotSentError(words), { again: true }));
    });
    request.send(form);
  });
}
