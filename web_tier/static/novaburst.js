"use strict";
// The upload page: sends files one by one into a batch, and shows each answer as it arrives.
(() => {
  const UPLOADS_AT_ONCE = 4;
  // Between two looks at the batch, in milliseconds: soon after news, later while nothing happens.
  const SOON = 300;
  const LATE = 2000;
  // Between two looks at the fleet, in milliseconds: the server itself looks no more often.
  const FLEET = 2000;

  const app = document.getElementById("app");
  const element = (id) => document.getElementById(id);
  const rows = new Map(); // image id -> row
  const waiting = []; // rows whose file is not sent yet
  let batch = app.dataset.batch || null;
  let opening = null;
  let sending = 0;
  let local = 0; // rows that the server does not know yet
  let revision = 0;
  let counts = { total: 0, done: 0, failed: 0, pending: 0 };
  let timer = null;
  let pause = SOON;
  let fleetSeen = -Infinity;

  function percent(score) {
    return score > 0 && score < 0.01 ? "<1 %" : `${Math.round(100 * score)} %`;
  }

  function openBatch() {
    if (batch) return Promise.resolve(batch);
    opening ??= fetch("/api/v1/batches", { method: "POST" })
      .then((response) => {
        if (!response.ok) throw new Error(`the server answered ${response.status}`);
        return response.json();
      })
      .then((made) => {
        batch = made.batch;
        history.replaceState(null, "", made.page);
        showAddresses();
        return batch;
      })
      .finally(() => { opening = null; });
    return opening;
  }

  function showAddresses() {
    element("csv").href = `/api/v1/batches/${batch}?format=csv`;
    element("json").href = `/api/v1/batches/${batch}?format=json`;
    element("new-batch").hidden = false;
    element("drop").action = `/api/v1/upload?batch=${batch}`;
  }

  function newRow(name) {
    const item = element("row").content.firstElementChild.cloneNode(true);
    const part = (kind) => item.querySelector(`.${kind}`);
    part("name").textContent = name;
    part("name").title = name;
    element("images").append(item);
    element("batch").hidden = false;
    element("none").hidden = true;
    app.classList.add("compact");
    return { item, part, file: null };
  }

  function setState(row, state, label) {
    row.item.className = `image ${state}`;
    row.part("label").textContent = label;
  }

  function showFailure(row, detail, retry) {
    setState(row, "failed", "Not classified");
    row.part("upload").hidden = true;
    row.part("error").textContent = detail;
    row.part("error").hidden = false;
    row.part("retry").hidden = !retry;
  }

  function showImage(row, image) {
    row.part("upload").hidden = true;
    row.part("name").textContent = image.name;
    row.part("name").title = image.name;
    if (image.state === "failed") {
      showFailure(row, image.error.remedy, false);
      row.part("error").title = image.error.detail;
    } else if (image.state === "pending") {
      setState(row, "pending", "Waiting for a worker…");
    } else {
      setState(row, "done", image.label);
      row.part("score").textContent = percent(image.score);
      row.part("confidence").value = image.score;
      row.part("confidence").textContent = percent(image.score);
      row.part("confidence").setAttribute("aria-label", `Confidence in ${image.label}`);
      row.part("confidence").hidden = false;
      row.part("error").hidden = true;
      showTop5(row, image.top5.slice(1));
    }
  }

  function showTop5(row, guesses) {
    row.part("more").hidden = guesses.length === 0;
    row.part("top5").replaceChildren(...guesses.map((guess) => {
      const line = document.createElement("li");
      const label = document.createElement("span");
      const score = document.createElement("span");
      label.textContent = guess.label;
      score.textContent = percent(guess.score);
      line.append(label, score);
      return line;
    }));
  }

  // The server's word on an image: its row may have come from here, from a look at the batch, or both.
  function meet(image, own) {
    const known = rows.get(image.id);
    if (own && known && known !== own) {
      known.item.remove();
      if (known.image) image = known.image;
    }
    const row = own || known || newRow(image.name);
    row.image = image;
    rows.set(image.id, row);
    showImage(row, image);
  }

  function add(files) {
    for (const file of files) {
      const row = newRow(file.name);
      row.file = file;
      local += 1;
      if (file.type.startsWith("image/")) showPreview(row, file);
      row.part("retry").addEventListener("click", () => { local += 1; queue(row); });
      queue(row);
    }
    sendNext();
    summarise();
  }

  function showPreview(row, file) {
    const image = new Image();
    image.alt = "";
    image.decoding = "async";
    image.loading = "lazy";
    const address = URL.createObjectURL(file);
    image.addEventListener("load", () => URL.revokeObjectURL(address));
    image.addEventListener("error", () => { URL.revokeObjectURL(address); image.remove(); });
    image.src = address;
    row.part("thumb").append(image);
  }

  function queue(row) {
    setState(row, "pending", "Waiting to be sent…");
    row.part("error").hidden = true;
    row.part("retry").hidden = true;
    if (row.file.size > Number(app.dataset.maxBytes)) return settle(row, () => showFailure(row, app.dataset.tooLarge, false));
    waiting.push(row);
    sendNext();
  }

  function settle(row, show) {
    local -= 1;
    show();
    if (!row.image && row.item.classList.contains("failed")) unsent.add(row);
    summarise();
  }
  const unsent = new Set(); // rows that failed before the server knew them

  function sendNext() {
    while (sending < UPLOADS_AT_ONCE && waiting.length) {
      sending += 1;
      send(waiting.shift()).finally(() => { sending -= 1; sendNext(); });
    }
  }

  async function send(row) {
    unsent.delete(row);
    setState(row, "pending", "Sending…");
    row.part("upload").value = 0;
    row.part("upload").hidden = false;
    try {
      const answer = await post(`/api/v1/upload?batch=${await openBatch()}`, row);
      const image = answer.images && answer.images[0];
      if (image) settle(row, () => meet(image, row));
      else settle(row, () => showFailure(row, answer.remedy || answer.detail || "The server refused it.", true));
    } catch (error) {
      settle(row, () => showFailure(row, `It could not be sent: ${error.message}. Check the connection, then try again.`, true));
    }
    lookSoon();
  }

  function post(address, row) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const form = new FormData();
      form.append("file", row.file, row.file.name);
      request.open("POST", address);
      request.responseType = "json";
      request.setRequestHeader("Accept", "application/json");
      request.upload.addEventListener("progress", (event) => {
        row.part("upload").value = event.lengthComputable ? event.loaded / event.total : 0;
      });
      request.addEventListener("load", () => {
        if (request.response) resolve(request.response);
        else reject(new Error(`the server answered ${request.status}`));
      });
      request.addEventListener("error", () => reject(new Error("the connection broke")));
      request.send(form);
    });
  }

  function lookSoon() {
    pause = SOON;
    clearTimeout(timer);
    timer = setTimeout(look, pause);
  }

  async function look() {
    try {
      const response = await fetch(`/api/v1/batches/${batch}?since=${revision}`, { headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      const news = await response.json();
      pause = news.images.length ? SOON : Math.min(LATE, pause * 1.3);
      revision = news.revision;
      counts = news.counts;
      for (const image of news.images) meet(image, null);
      element("trouble").hidden = true;
    } catch (error) {
      pause = LATE;
      element("trouble").textContent = `The results cannot be fetched just now (${error.message}). Trying again…`;
      element("trouble").hidden = false;
    }
    summarise();
    lookAtFleet();
    clearTimeout(timer);
    if (counts.pending || local || !element("trouble").hidden) timer = setTimeout(look, pause);
  }

  // Who waits may know what for; without an answer the line is left out.
  async function lookAtFleet() {
    if (!counts.pending) element("fleet").hidden = true;
    if (!counts.pending || performance.now() - fleetSeen < FLEET) return;
    fleetSeen = performance.now();
    try {
      const response = await fetch("/api/v1/fleet", { headers: { Accept: "application/json" } });
      const fleet = await response.json();
      element("fleet").textContent = fleetWords(fleet);
      element("fleet").title = fleet.plan.reason;
      element("fleet").hidden = !counts.pending;
    } catch {
      element("fleet").hidden = true;
    }
  }

  function fleetWords(fleet) {
    const count = (state) => fleet.instances.filter((instance) => instance.state === state).length;
    const some = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
    const words = [`${some(count("running"), "worker")} running`];
    if (count("pending")) words.push(`${count("pending")} starting`);
    if (fleet.plan.launch) words.push(`${fleet.plan.launch} more wanted`);
    words.push(`${some(fleet.counts.backlog, "image")} in the queue`);
    return words.join(" · ");
  }

  function summarise() {
    const failed = counts.failed + unsent.size;
    const total = Math.max(counts.total + unsent.size, rows.size + unsent.size + local);
    const open = total - counts.done - failed;
    const words = [`${counts.done} of ${total} classified`];
    if (failed) words.push(`${failed} without a label`);
    if (open > 0) words.push(`${open} to go`);
    element("summary").textContent = words.join(" · ");
    element("overall").max = Math.max(1, total);
    element("overall").value = counts.done + failed;
  }

  function listenToPeople() {
    const drop = element("drop");
    const input = element("files");
    input.addEventListener("change", () => { add([...input.files]); input.value = ""; });
    drop.addEventListener("submit", (event) => event.preventDefault());
    for (const kind of ["dragenter", "dragover"]) {
      document.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
    }
    for (const kind of ["dragleave", "drop"]) {
      document.addEventListener(kind, (event) => {
        event.preventDefault();
        if (kind === "drop" || !event.relatedTarget) drop.classList.remove("over");
      });
    }
    document.addEventListener("drop", (event) => add([...event.dataTransfer.files]));
    element("copy").addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(location.href);
        element("copy").textContent = "Copied";
      } catch {
        element("copy").textContent = "Copy the address above";
      }
      setTimeout(() => { element("copy").textContent = "Copy link"; }, 2000);
    });
    addEventListener("beforeunload", (event) => { if (local) event.preventDefault(); });
  }

  listenToPeople();
  if (batch) {
    element("batch").hidden = false;
    app.classList.add("compact");
    showAddresses();
    look().then(() => { element("none").hidden = rows.size > 0; });
  }
})();
