// A small chart over time: filled areas, stacked or not, in a drawing of 300 by 64 units.
import { number } from "./words.js";

const WIDTH = 300;
const HEIGHT = 64;
const SVG = "http://www.w3.org/2000/svg";

export class Chart {
  // `series` are { kind, word, value(sample) }; stacked ones stand on one another.
  constructor(parent, { title, series, stacked = false }) {
    this.figure = document.getElementById("chart").content.firstElementChild.cloneNode(true);
    this.figure.querySelector(".title").textContent = title;
    this.title = title;
    this.series = series;
    this.stacked = stacked;
    this.svg = this.figure.querySelector("svg");
    // What stands in front is drawn last.
    this.areas = series.map((one) => this.#area(one.kind));
    for (const area of [...this.areas].reverse()) this.svg.append(area);
    parent.append(this.figure);
  }

  // The samples from `from` to `to`, both in milliseconds, the oldest first.
  draw(samples, from, to) {
    const lines = this.#lines(samples);
    const top = Math.max(1, ...lines.flat());
    const x = (sample) => (WIDTH * (Math.max(from, sample.time) - from)) / (to - from);
    this.areas.forEach((area, place) => {
      const points = samples.map((sample, at) => [x(sample), HEIGHT - (HEIGHT - 3) * (lines[place][at] / top)]);
      area.setAttribute("d", points.length ? outline(points) : "");
    });
    const last = samples.at(-1);
    const now = last ? this.series.map((one) => `${number(one.value(last))} ${one.word}`) : ["nothing yet"];
    this.figure.querySelector("output").replaceChildren(...now.map((words, place) => key(this.series[place].kind, words)));
    this.figure.querySelector(".top-value").textContent = number(top);
    this.svg.setAttribute("aria-label", `${this.title}: now ${now.join(", ")}; at most ${number(top)} in this time`);
    this.figure.querySelector(".from").textContent = `${Math.round((to - from) / 60_000)} min ago`;
  }

  #lines(samples) {
    const sums = samples.map(() => 0);
    return this.series.map((one) => samples.map((sample, at) => {
      const value = one.value(sample);
      sums[at] += value;
      return this.stacked ? sums[at] : value;
    }));
  }

  #area(kind) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", `area ${kind}`);
    path.setAttribute("vector-effect", "non-scaling-stroke");
    return path;
  }
}

function key(kind, words) {
  const part = document.createElement("span");
  part.className = `key ${kind}`;
  part.textContent = words;
  return part;
}

// A value holds until the next sample, the last one until now.
function outline(points) {
  const parts = [`M${points[0][0].toFixed(1)},${HEIGHT}`];
  let before = HEIGHT;
  for (const [x, y] of points) {
    parts.push(`L${x.toFixed(1)},${before.toFixed(1)}L${x.toFixed(1)},${y.toFixed(1)}`);
    before = y;
  }
  return `${parts.join("")}L${WIDTH},${before.toFixed(1)}L${WIDTH},${HEIGHT}Z`;
}
