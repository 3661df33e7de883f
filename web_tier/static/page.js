// The page: puts its parts together and shows how far the batch is.
import { Batch } from "./batch.js";
import { chosen, dropped, pasted } from "./files.js";
import { Fleet } from "./fleet.js";
import { Leftover } from "./leftover.js";
import { List } from "./list.js";
import { forgetPictures } from "./pictures.js";
import { batches, forgetBatch, rememberBatch } from "./remembered.js";
import { Stream } from "./stream.js";
import { NotSentError, Uploads } from "./uploads.js";
import { day, megabytes, names, number, refusal, some } from "./words.js";

// Changes within this time are drawn together, in milliseconds; a drawing that took long is followed by a longer pause.
const DRAW = 80;
// Between two announcements to those who listen to the page, in milliseconds.
const SAY = 5000;
const AWAY = "The server cannot be reached. Check the connection, then try again.";

const element = (id) => document.getElementById(id);
const app = element("app");
const batch = new Batch(app.dataset.batch || null, draw);
const fleet = new Fleet(() => batch.counts().pending > 0, showLeft);
const stream = new Stream(batch, hear);
const leftover = new Leftover(batch);
const uploads = new Uploads(batch, {
  open: openBatch,
  answered: () => stream.follow(),
  maxBytes: Number(app.dataset.maxBytes),
  tooLarge: app.dataset.tooLarge,
});
const list = new List(batch, { changed: draw, again: (items) => uploads.again(items) });
let timer = null;
let pause = DRAW;
let opening = null;
let saidAt = 0;

function draw() {
  timer ??= setTimeout(() => {
    const began = performance.now();
    timer = null;
    show();
    pause = Math.max(DRAW, 4 * (performance.now() - began));
  }, pause);
}

function show() {
  const counts = batch.counts();
  if (!batch.loaded) return; // what the server wrote into the page is on show
  summarise(counts);
  showSending(counts);
  showUnsent();
  list.show(counts);
  leftover.keep();
  if (batch.id) rememberBatch(batch.id, { done: counts.done, all: counts.all });
}

function summarise(counts) {
  const words = [`${number(counts.done)} of ${number(counts.all)} classified`];
  if (counts.failed) words.push(`${number(counts.failed)} without a label`);
  if (counts.pending) words.push(`${number(counts.pending)} to go`);
  element("summary").textContent = words.join(" · ");
  element("overall").max = Math.max(1, counts.all);
  element("overall").value = counts.done + counts.failed;
  const part = Math.floor((100 * (counts.done + counts.failed)) / Math.max(1, counts.all));
  document.title = counts.pending ? `${part} % · Novaburst` : "Batch · Novaburst: what is in your photos?";
  app.classList.toggle("complete", counts.all > 0 && counts.pending === 0);
  if (!counts.pending) showLeft(null);
  say(words.join(", "), counts.pending === 0);
}

// How long the fleet will need for all that it has to do, in words.
function showLeft(left) {
  element("left").textContent = left && batch.counts().pending ? `· about ${left} left` : "";
}

function say(words, last) {
  const now = performance.now();
  if (element("said").textContent === words || (!last && now - saidAt < SAY)) return;
  saidAt = now;
  element("said").textContent = words;
}

function showSending(counts) {
  element("sending").hidden = counts.local === 0;
  if (!counts.local) return;
  element("sent").max = Math.max(1, uploads.allBytes);
  element("sent").value = uploads.sentBytes;
  const sent = `${megabytes(uploads.sentBytes)} of ${megabytes(uploads.allBytes)}`;
  element("sending-words").textContent = `Sending: ${some(counts.local, "file")} to go, ${sent}. Keep this page open until they are sent.`;
}

function showUnsent() {
  const items = batch.ofState("unsent");
  element("unsent").hidden = items.length === 0;
  if (!items.length) return;
  const reasons = [...new Set(items.map((item) => item.fault))].join(" ");
  const words = `${some(items.length, "file")} could not be sent: ${names(items)}. ${reasons}`;
  const line = element("unsent").querySelector("p");
  if (line.textContent !== words) line.textContent = words;
}

// From the stream: trouble in words, null when there is none, "deleted" when the batch is gone.
function hear(news) {
  if (news === "deleted") {
    forget();
    news = "This batch was deleted.";
  }
  element("trouble").hidden = news === null;
  element("trouble").textContent = news ?? "";
}

function forget() {
  forgetBatch(batch.id);
  return forgetPictures(batch.id);
}

function openBatch() {
  if (batch.id) return batch.id;
  opening ??= fetch("/api/v1/batches", { method: "POST" })
    .then(async (response) => {
      if (!response.ok) throw new NotSentError(refusal(response.status) ?? AWAY);
      const made = await response.json();
      batch.id = made.batch;
      history.replaceState(null, "", made.page);
      showBatch(new Date());
      return batch.id;
    })
    .catch((error) => { throw error instanceof NotSentError ? error : new NotSentError(AWAY); })
    .finally(() => { opening = null; });
  return opening;
}

function showBatch(created) {
  element("batch").hidden = false;
  element("start")?.remove();
  element("drop").querySelector("label[for=files]").textContent = "Add photos";
  element("drop").querySelector("label[for=folder]").textContent = "Add a folder";
  fleet.unfold();
  app.classList.add("compact");
  element("new-batch").hidden = false;
  element("batch-title").textContent = `Batch${created ? ` of ${day(created)}` : ""}`;
  if (!batch.id) return;
  element("csv").href = `/api/v1/batches/${batch.id}/results.csv`;
  element("json").href = `/api/v1/batches/${batch.id}/results.json`;
  element("drop").action = `/api/v1/upload?batch=${batch.id}`;
}

function takeDropped({ files, unreadable }) {
  take(files);
  let words = "";
  if (unreadable.length) {
    const left = `${some(unreadable.length, "file or folder", "files or folders")} could not be read and stayed out: ${names(unreadable)}.`;
    words = `${left} Check that you may open them, then drop them again.`;
  } else if (!files.length) {
    words = "There was no file in what you dropped. Save the picture on your device first, then drop it here.";
  }
  element("unread").textContent = words;
  element("unread").hidden = !words;
}

async function take(files) {
  element("unread").hidden = true;
  const { again, fresh } = await leftover.sift(files);
  if (!again.length && !fresh.length) return;
  if (!batch.id) showBatch(null);
  for (const group of again) uploads.resume(batch.add(group.found), group);
  uploads.add(batch.add(fresh));
  fleet.look();
}

function listenToFiles() {
  const drop = element("drop");
  for (const id of ["files", "folder"]) {
    element(id).addEventListener("change", (event) => {
      take(chosen(event.target.files));
      event.target.value = "";
    });
  }
  drop.addEventListener("submit", (event) => event.preventDefault());
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    takeDropped(await dropped(event.dataTransfer));
  });
  document.addEventListener("paste", (event) => take(pasted(event.clipboardData)));
  // Meanwhile there may be answers, and somebody else may have added images.
  document.addEventListener("visibilitychange", () => {
    if (!batch.id) return;
    if (document.hidden) stream.pause();
    else stream.follow();
  });
  addEventListener("beforeunload", (event) => {
    if (batch.counts().local) event.preventDefault();
  });
}

function listenToActions() {
  element("unsent").querySelector("button").addEventListener("click", () => uploads.again(batch.ofState("unsent")));
  element("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      element("copy").textContent = "Copied";
    } catch {
      // Browsers allow it on secure addresses only.
      element("copy").textContent = "Copy the address above";
    }
    setTimeout(() => { element("copy").textContent = "Copy link"; }, 3000);
  });
  const dialog = element("delete-dialog");
  element("delete").addEventListener("click", () => dialog.showModal());
  element("delete-now").addEventListener("click", async (event) => {
    event.preventDefault();
    const response = await fetch(`/api/v1/batches/${batch.id}`, { method: "DELETE" }).catch(() => null);
    if (response?.ok) {
      await forget();
      location.assign("/");
    } else {
      dialog.querySelector(".error").textContent = refusal(response?.status) ?? "It could not be deleted just now. Try again in a moment.";
      dialog.querySelector(".error").hidden = false;
    }
  });
}

function showRecent() {
  const known = batches();
  element("recent").hidden = known.length === 0;
  element("recent").querySelector("ul").append(...known.map((one) => {
    const line = document.createElement("li");
    const link = document.createElement("a");
    link.href = `/batches/${one.id}`;
    link.textContent = day(new Date(one.opened));
    line.append(link, ` ${number(one.done ?? 0)} of ${some(one.all ?? 0, "image")} classified`);
    return line;
  }));
}

// What only works with scripts is on show from here on.
document.documentElement.classList.add("scripting");
listenToFiles();
listenToActions();
fleet.start();
if (batch.id) {
  showBatch(new Date(element("created").dateTime));
  stream.follow();
} else {
  showRecent();
}
