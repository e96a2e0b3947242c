// The verdict: in words, on its scale, with what it permits and what not.

import { copyButton, draw, icon, make } from "./elements.js";
import { ZONES, bytesText, durationText, isNumber, plural, scoreText, sentence, verdictOf } from "./format.js";
import { scaleParts } from "./geometry.js";

export function verdictCard({ answer, media, hash, at }) {
  const { title, tone } = verdictOf(answer);
  const heading = make("h2", { id: "verdict-title", tabindex: "-1" }, answer.status === "unreadable" ? "Not readable" : title);
  return make(
    "article",
    { class: `card verdict tone-${tone}`, "aria-labelledby": "verdict-title" },
    make("header", { class: "verdict-head" },
      make("span", { class: "badge" }, icon(tone)),
      make("div", {}, heading, make("p", { class: "soft file" }, media.file.name || "Pasted picture")),
    ),
    make("p", { class: "meaning" }, sentence(answer.meaning)),
    answer.reason && make("p", {}, make("strong", {}, "Why: "), sentence(answer.reason)),
    scale(answer),
    coverage(answer.examined),
    limitsOfIt(answer),
    details({ answer, media, hash, at }),
  );
}

function scale(answer) {
  const { score, thresholds } = answer;
  if (!isNumber(score)) return null;
  const parts = scaleParts(thresholds);
  const rated = parts[0].zone !== "unset";
  const text = scoreText(score, thresholds);
  const bar = parts.map(({ zone, from, to }) =>
    draw("rect", { class: `part zone-${zone}`, x: `${100 * from}%`, width: `${100 * (to - from)}%`, y: 14, height: 14 }));
  const borders = parts.slice(1).map(({ from }) =>
    draw("line", { class: "border", x1: `${100 * from}%`, x2: `${100 * from}%`, y1: 10, y2: 32 }));
  const at = `${100 * Math.min(Math.max(score, 0), 1)}%`;
  const pin = draw("svg", { class: "pin", x: at, y: 0, width: 1, height: 32, overflow: "visible" },
    draw("path", { d: "M0 13 L-7 1 L7 1 Z" }), draw("line", { x1: 0, x2: 0, y1: 12, y2: 31 }));
  return make("figure", { class: "scale" },
    make("figcaption", {}, answer.calibrated ? "Calibrated score " : "Score, not calibrated ",
      make("strong", { class: "score" }, text), make("span", { class: "soft" }, " from 0 to 1")),
    draw("svg", { class: "bar", role: "img", height: 34, width: "100%", "aria-label": spokenScale(text, thresholds) }, bar, borders, pin),
    make("div", { class: "ends soft", "aria-hidden": "true" }, make("span", {}, "0"), make("span", {}, "1")),
    rated && make("ul", { class: "legend" }, parts.map(({ zone, from, to }) =>
      make("li", {}, make("span", { class: `swatch zone-${zone}` }), `${ZONES[zone]}: `, range(zone, from, to)))),
    !rated && make("p", { class: "soft" }, "No thresholds are set for this kind of media, so the score has no verdict."),
  );
}

function range(zone, from, to) {
  if (zone === "clear") return `below ${scoreText(to)}`;
  return zone === "indicated" ? `from ${scoreText(from)}` : `${scoreText(from)} to ${scoreText(to)}`;
}

function spokenScale(text, thresholds) {
  const parts = scaleParts(thresholds).filter(({ zone }) => zone !== "unset");
  return [`Score ${text} from 0 to 1`, ...parts.map(({ zone, from, to }) => `${ZONES[zone]} ${range(zone, from, to)}`)].join("; ");
}

function coverage(examined) {
  if (!examined) return null;
  const { frames, frames_in_clip: all, seconds, seconds_in_clip: length, longest_gap: gap } = examined;
  return make("p", { class: "coverage" },
    `${plural(frames, "frame")} of ${all} were looked at: ${durationText(seconds)} of ${durationText(length)}. `,
    make("strong", {}, `The longest stretch not looked at is ${durationText(gap)}`),
    "; a manipulation shorter than that can lie in it.");
}

function limitsOfIt(answer) {
  const notes = Array.isArray(answer.notes) ? answer.notes : [];
  return make("dl", { class: "says" },
    answer.not_covered && [make("dt", {}, "Not covered"), make("dd", {}, sentence(answer.not_covered))],
    answer.guarantee && [make("dt", {}, "What is promised"), make("dd", {}, sentence(answer.guarantee))],
    notes.length > 0 && [make("dt", {}, notes.length > 1 ? "Notes" : "Note"), notes.map((note) => make("dd", {}, sentence(note)))],
  );
}

function details({ answer, media, hash, at }) {
  const rows = [
    ["Request", answer.request_id, true],
    ["Detector", [answer.version, answer.environment].filter(Boolean).join(", ")],
    ["Checked", at.toISOString().replace("T", " ").slice(0, 19) + " UTC"],
    ["File", [bytesText(media.file.size), media.width && `${media.width} × ${media.height}`, media.seconds && durationText(media.seconds)].filter(Boolean).join(", ")],
    ["SHA-256", hash, true],
  ].filter(([, value]) => value);
  const times = Object.entries(answer.milliseconds ?? {}).filter(([, ms]) => isNumber(ms));
  return make("div", { class: "record" },
    make("dl", { class: "pairs" }, rows.map(([name, value, copied]) => [
      make("dt", {}, name),
      make("dd", {}, make("span", { class: copied ? "code" : "" }, String(value)), copied && copyButton(String(value), name)),
    ])),
    times.length > 0 && make("details", {}, make("summary", {}, "Timings"),
      make("dl", { class: "pairs" }, times.map(([name, ms]) => [make("dt", {}, name), make("dd", {}, `${ms.toFixed(1)} ms`)]))),
  );
}
