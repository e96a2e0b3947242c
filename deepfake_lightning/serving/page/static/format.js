// Values to words. Pure: no document, no network.

/** What each verdict is called, and the tone it is shown in. There is no verdict "real". */
const VERDICTS = {
  manipulation_indicated: { title: "Manipulation indicated", tone: "indicated" },
  inconclusive: { title: "Inconclusive", tone: "between" },
  no_indication: { title: "No indication found", tone: "clear" },
  not_assessable: { title: "Not assessable", tone: "unset" },
};
const SCORE_ONLY = { title: "Score only, no verdict", tone: "unset" };

/** Words for the part of the scale a score lies in. */
export const ZONES = {
  indicated: "manipulation indicated",
  between: "in between",
  clear: "no indication",
  unset: "not rated",
};

export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

export function verdictOf(answer) {
  return Object.hasOwn(VERDICTS, answer.verdict) ? VERDICTS[answer.verdict] : SCORE_ONLY;
}

export function zoneOf(score, thresholds) {
  if (!isNumber(score) || !thresholds || !isNumber(thresholds.indicated_from)) return "unset";
  if (score >= thresholds.indicated_from) return "indicated";
  return isNumber(thresholds.clear_below) && score < thresholds.clear_below ? "clear" : "between";
}

/** A score from 0 to 1, with as many digits as tell it from each threshold it does not equal. */
export function scoreText(score, thresholds = null) {
  if (!isNumber(score)) return "none";
  const others = Object.values(thresholds ?? {}).filter((other) => isNumber(other) && other !== score);
  for (let digits = 2; digits < 6; digits += 1) {
    const text = score.toFixed(digits);
    const rounded = (text === (1).toFixed(digits) && score < 1) || (Number(text) === 0 && score > 0);
    if (!rounded && others.every((other) => other.toFixed(digits) !== text)) return text;
  }
  if (score > 0.5 && score < 1 && Number(score.toFixed(5)) === 1) return "over 0.99999";
  if (score > 0 && Number(score.toFixed(5)) === 0) return "under 0.00001";
  return score.toFixed(5);
}

export function bytesText(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${size < 10 && unit ? size.toFixed(1).replace(/\.0$/, "") : Math.round(size)} ${units[unit]}`;
}

/** A length of time in words: 0.6 s, 17 s, 2 min 5 s. */
export function durationText(seconds) {
  if (!isNumber(seconds) || seconds < 0) return "unknown";
  if (seconds < 59.95) return `${Number(seconds.toFixed(seconds < 1 ? 2 : 1))} s`;
  const whole = Math.round(seconds);
  const [minutes, rest] = [Math.floor(whole / 60), whole % 60];
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
}

/** A place in a clip: 1:02.4. */
export function clockText(ms) {
  const tenths = Math.round(ms / 100);
  const seconds = String(Math.floor(tenths / 10) % 60).padStart(2, "0");
  return `${Math.floor(tenths / 600)}:${seconds}.${tenths % 10}`;
}

/** A fragment of the server's as a sentence. */
export function sentence(text) {
  const trimmed = String(text ?? "").trim();
  if (!trimmed) return "";
  const start = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(start) ? start : `${start}.`;
}

export const faceName = (track, index) => `Face ${isNumber(track) ? track + 1 : index + 1}`;

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** What may be sent, for people; empty where the server does not say. */
export function limitsText(limits) {
  if (!limits || !isNumber(limits.max_bytes)) return "";
  const clips = isNumber(limits.max_seconds) ? `, clips up to ${durationText(limits.max_seconds)}` : "";
  const long = isNumber(limits.job_max_bytes)
    ? ` Longer videos up to ${bytesText(limits.job_max_bytes)} are checked in the background.`
    : "";
  return `Up to ${bytesText(limits.max_bytes)}${clips}.${long}`;
}

/** Seconds to wait from a Retry-After header (seconds, or a date); null without one. */
export function retryAfter(header, now) {
  if (!header) return null;
  if (/^\d+$/.test(header.trim())) return Math.min(Number(header), 3600);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.min(Math.max(Math.ceil((date - now) / 1000), 0), 3600);
}
