// The fleet over time: what the server has kept, and what this page has seen, which is closer together.
const MOST_SAMPLES = 3000;
const MOST_DECISIONS = 500;
// What makes a decision another one.
const NUMBERS = ["want", "launch", "start", "terminate", "leave"];

export class History {
  #samples = new Map(); // time in milliseconds -> sample
  #decisions = new Map(); // time in milliseconds -> decision

  // An answer of /api/v1/fleet.
  enter(fleet) {
    for (const sample of [...fleet.history.samples, seen(fleet)]) {
      const time = Date.parse(sample.at);
      this.#samples.set(time, { ...sample, time });
    }
    for (const decision of [...fleet.history.decisions, planned(fleet)]) {
      this.#decisions.set(Date.parse(decision.at), decision);
    }
    forget(this.#samples, MOST_SAMPLES);
    forget(this.#decisions, MOST_DECISIONS);
  }

  // The oldest first, with one from before `from`: it says what held at the beginning.
  samples(from) {
    const all = [...this.#samples.values()].sort((a, b) => a.time - b.time);
    return all.slice(Math.max(0, all.findLastIndex((sample) => sample.time <= from)));
  }

  // The newest first; of some in a row that come to the same, the first.
  decisions(count) {
    const all = [...this.#decisions.entries()].sort(([a], [b]) => a - b).map(([, decision]) => decision);
    return all.filter((decision, place) => differ(decision, all[place - 1])).reverse().slice(0, count);
  }
}

function seen(fleet) {
  const count = (state) => fleet.instances.filter((instance) => instance.state === state).length;
  return {
    at: fleet.at,
    backlog: fleet.counts.backlog,
    in_flight: fleet.counts.in_flight,
    pending: count("pending"),
    running: count("running"),
    images_a_minute: fleet.pace.images_a_minute,
  };
}

function planned({ at, plan }) {
  const { want, have, launch, reason } = plan;
  const leave = plan.leave.length + plan.leaving;
  return { at, want, have, launch, start: plan.start.length, terminate: plan.terminate.length, leave, reason };
}

function differ(decision, before) {
  return !before || NUMBERS.some((number) => decision[number] !== before[number]);
}

function forget(entries, most) {
  for (const time of [...entries.keys()].sort((a, b) => a - b).slice(0, -most)) entries.delete(time);
}
