// Numbers and times as people read them.
const numbers = new Intl.NumberFormat("en");

export function number(value) {
  return numbers.format(value);
}

export function some(count, what, many = `${what}s`) {
  return `${number(count)} ${count === 1 ? what : many}`;
}

export function percent(score) {
  return score > 0 && score < 0.01 ? "<1 %" : `${Math.round(100 * score)} %`;
}

export function megabytes(bytes) {
  const size = bytes / 2 ** 20;
  return `${size < 10 ? size.toFixed(1) : number(Math.round(size))} MB`;
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

export function money(amount, currency) {
  const digits = amount > 0 && amount < 0.1 ? 4 : 2;
  return new Intl.NumberFormat("en", { style: "currency", currency, minimumFractionDigits: digits }).format(amount);
}

export function clock(moment) {
  return moment.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export function day(moment) {
  return moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

// A few names, and how many more there are.
export function names(items) {
  const shown = items.slice(0, 3).map((item) => item.name).join(", ");
  return items.length > 3 ? `${shown} and ${some(items.length - 3, "other")}` : shown;
}

// Why a token is not enough, in words; null for any other answer.
export function refusal(status) {
  if (status === 401) return "You are signed out. Open this server in another tab, sign in there, then try again here.";
  if (status === 403) return "Your token does not allow this. Ask whoever runs this server for another one.";
  return null;
}
