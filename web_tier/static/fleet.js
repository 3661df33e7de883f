// The panel of workers: how many, why, how fast, what for, and how that went over time.
import { Chart } from "./chart.js";
import { History } from "./history.js";
import { clock, duration, money, number, some } from "./words.js";

// Between two looks, in milliseconds: while there is work or a worker, and otherwise.
const BUSY = 3000;
const QUIET = 15_000;
// The times that the charts can show, in milliseconds: the shortest that holds the latest burst.
const SPANS = [2 * 60_000, 5 * 60_000, 15 * 60_000, 60 * 60_000];
const DECISIONS = 6;
// What is asked for again of the last looks' minutes: a sample may be written down a little later than it was taken.
const OVERLAP = 60_000;
const element = (id) => document.getElementById(id);

export class Fleet {
  #timer = null;
  #charts = [];
  #history = new History();
  #looked = 0;
  #busy;
  #told;

  // `busy` says whether this page waits for images; `told` hears how long all images will take, or null.
  constructor(busy, told) {
    this.#busy = busy;
    this.#told = told;
  }

  // Where the panel has room beside the images, it is open.
  unfold() {
    element("fleet-panel").open = matchMedia("(min-width: 1080px)").matches;
  }

  start() {
    this.#charts = [
      new Chart(element("charts"), {
        title: "Images to do",
        series: [
          { kind: "second", word: "in work", value: (sample) => sample.in_flight },
          { kind: "first", word: "waiting", value: (sample) => Math.max(0, sample.backlog - sample.in_flight) },
        ],
        stacked: true,
      }),
      new Chart(element("charts"), {
        title: "Workers",
        series: [
          { kind: "second", word: "running", value: (sample) => sample.running },
          { kind: "first", word: "starting", value: (sample) => sample.pending },
        ],
        stacked: true,
      }),
      new Chart(element("charts"), {
        title: "Images a minute",
        series: [{ kind: "second", word: "answered", value: (sample) => sample.images_a_minute }],
      }),
    ];
    document.addEventListener("visibilitychange", () => this.look());
    this.look();
  }

  async look() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    let pause = QUIET;
    try {
      const began = Date.now();
      const minutes = (began - this.#looked + OVERLAP) / 60_000;
      const response = await fetch(`/api/v1/fleet?minutes=${minutes}`, { headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      const fleet = await response.json();
      this.#show(fleet);
      this.#looked = began;
      if (this.#busy() || fleet.counts.backlog || fleet.instances.length || fleet.pace.pending) pause = BUSY;
    } catch {
      element("fleet-line").textContent = "Not known just now";
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.look(), pause);
  }

  #show(fleet) {
    const { counts, pace } = fleet;
    const inState = (state) => fleet.instances.filter((instance) => instance.state === state).length;
    const leaving = fleet.instances.filter((instance) => instance.leaving).length;
    const [running, starting] = [inState("running") - leaving, inState("pending")];
    const left = pace.pending && pace.seconds_to_finish !== null ? duration(pace.seconds_to_finish) : null;
    element("fleet-line").textContent = line({ running, starting, leaving }, counts.backlog, fleet.plan.launch);
    element("fleet-line").title = fleet.plan.reason;
    element("figure-waiting").textContent = number(counts.backlog - counts.in_flight);
    element("figure-in-work").textContent = number(counts.in_flight);
    element("figure-running").textContent = number(running);
    element("figure-starting").textContent = number(starting);
    element("figure-pace").textContent = number(pace.images_a_minute);
    element("figure-left").textContent = left ?? "–";
    this.#told(left);
    const spent = fleet.cost.so_far;
    element("figure-cost").textContent = spent === null ? "not known" : money(spent, fleet.cost.currency);
    this.#history.enter(fleet);
    const now = Date.parse(fleet.at);
    const from = now - this.#span(now);
    for (const chart of this.#charts) chart.draw(this.#history.samples(from), from, now);
    const decisions = this.#history.decisions(DECISIONS);
    element("no-decisions").hidden = decisions.length > 0;
    element("decisions").replaceChildren(...decisions.map(decisionLine));
  }

  #span(now) {
    const longest = SPANS.at(-1);
    const samples = this.#history.samples(now - longest);
    let first = samples.findLastIndex(busy);
    while (first > 0 && busy(samples[first - 1])) first -= 1;
    return SPANS.find((span) => first < 0 || samples[first].time >= now - span) ?? longest;
  }
}

function busy(sample) {
  return sample.backlog || sample.pending || sample.running;
}

function line({ running, starting, leaving }, backlog, launch) {
  const words = [running ? `${number(running)} running` : "None running"];
  if (starting) words.push(`${number(starting)} starting`);
  if (leaving) words.push(`${number(leaving)} leaving`);
  if (launch) words.push(`${number(launch)} more wanted`);
  if (backlog) words.push(`${some(backlog, "image")} to do`);
  return words.join(" · ");
}

function decisionLine(decision) {
  const row = element("decision").content.firstElementChild.cloneNode(true);
  const moment = new Date(decision.at);
  row.querySelector(".did").textContent = did(decision);
  row.querySelector("time").textContent = clock(moment);
  row.querySelector("time").dateTime = decision.at;
  row.querySelector(".reason").textContent = decision.reason;
  return row;
}

function did(decision) {
  const words = [];
  if (decision.launch) words.push(`Start ${some(decision.launch, "worker")}`);
  if (decision.start) words.push(`Wake ${some(decision.start, "worker")}`);
  if (decision.terminate) words.push(`End ${some(decision.terminate, "worker")}`);
  if (decision.leave) words.push(`Send ${some(decision.leave, "worker")} away`);
  if (words.length) return words.join(", ");
  const tooMany = decision.have - decision.want;
  // They end by themselves as soon as they have nothing to do.
  if (tooMany > 0) return `Let ${some(tooMany, "worker")} end`;
  return decision.want ? `Keep ${some(decision.have, "worker")}` : "No worker needed";
}
