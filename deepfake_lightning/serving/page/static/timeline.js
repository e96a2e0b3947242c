// The timeline of a clip: a lane for each face, a mark for each scored frame, and what was not seen.

import { draw, icon, make, place } from "./elements.js";
import { ZONES, clockText, isNumber, plural, scoreText, verdictOf, zoneOf } from "./format.js";
import { markAfterKey, nearestMark, scaleParts, seenStretches } from "./geometry.js";

const SHOWN = 8; // lanes; the others unfold
const HEIGHT = 46; // of a lane, in CSS pixels
const EDGE = 8; // so that the highest and lowest marks are whole
const level = (score) => HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (isNumber(score) ? score : 0.5);
const SHAPES = {
  indicated: "M0 -6 L6 5 L-6 5 Z",
  between: "M0 -5.5 L5.5 0 L0 5.5 L-5.5 0 Z",
  clear: "M-4.2 0 a4.2 4.2 0 1 0 8.4 0 a4.2 4.2 0 1 0 -8.4 0 Z",
  unset: "M-4 -4 H4 V4 H-4 Z",
};

/**
 * The timeline.
 * @returns node, and at(ms), which moves the line that shows where the video is.
 */
export function timeline({ answer, lanes, length, onseek }) {
  const spot = make("p", { class: "spot", "aria-hidden": "true" }, "Choose a mark, or use the arrow keys on a lane, to see its frame.");
  const tell = (words) => { spot.textContent = words; };
  const rows = lanes.map((lane) => laneRow({ lane, answer, length, lanes, onseek, tell }));
  const rest = rows.slice(SHOWN).map(({ node }) => node);
  return {
    node: make("div", { class: "timeline" },
      rows.slice(0, SHOWN).map(({ node }) => node),
      rest.length > 0 && make("details", {}, make("summary", {}, `${plural(rest.length, "more face")}`), rest),
      axis(length),
      spot,
      legend(answer),
      table(lanes, answer),
    ),
    at: (ms) => rows.forEach(({ line }) => place(line, { left: `${Math.min(100, (100 * ms) / length)}%` })),
  };
}

function laneRow({ lane, answer, length, lanes, onseek, tell }) {
  const { marks, name } = lane;
  let at = -1;
  const shapes = marks.map((mark) => shape(mark, length));
  const line = make("div", { class: "now" });
  const track = make("div", {
    class: "lane", role: "slider", tabindex: "0", "aria-label": `${name}: scored frames`, "aria-orientation": "horizontal",
    "aria-valuemin": 1, "aria-valuemax": marks.length, "aria-valuenow": 1, "aria-valuetext": describe(marks[0], 0, marks, answer),
  }, surface(answer, lanes, length, shapes, line));
  const go = (index) => {
    shapes[at]?.classList.remove("active");
    at = index;
    shapes[at].classList.add("active");
    const words = describe(marks[at], at, marks, answer);
    track.setAttribute("aria-valuenow", at + 1);
    track.setAttribute("aria-valuetext", words);
    tell(`${name}: ${words}`);
    onseek(marks[at].ms);
  };
  track.addEventListener("keydown", (event) => {
    const next = markAfterKey(event.key, at, marks.length);
    if (next === null || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(next);
  });
  track.addEventListener("click", (event) => {
    const { left, width } = track.firstElementChild.getBoundingClientRect();
    go(nearestMark(marks, ((event.clientX - left) / width) * length));
  });
  return { node: make("div", { class: "lane-row" }, laneName(lane, answer), track), line };
}

function laneName({ name, score, verdict, marks }, answer) {
  const zone = zoneOf(score, answer.thresholds);
  const words = verdict ? verdictOf({ verdict }).title : ZONES[zone];
  return make("p", { class: `lane-name zone-${zone}` }, icon(zone), make("strong", {}, name),
    make("span", { class: "number" }, scoreText(score, answer.thresholds)),
    make("span", { class: "soft" }, `${words}, ${plural(marks.length, "frame")}`));
}

function surface(answer, lanes, length, shapes, line) {
  const share = (ms) => `${(100 * ms) / length}%`;
  const seen = seenStretches(answer, lanes, length).map(([from, to]) =>
    draw("rect", { class: "seen", x: share(from), width: share(to - from), y: 0, height: HEIGHT }));
  const borders = scaleParts(answer.thresholds).slice(1).map(({ zone, from }) =>
    draw("line", { class: `limit zone-${zone}`, x1: 0, x2: "100%", y1: level(from), y2: level(from) }));
  const drawn = draw("svg", { class: "surface", width: "100%", height: HEIGHT, "aria-hidden": "true", focusable: "false" }, seen, borders, shapes);
  return make("div", { class: "inner" }, drawn, line);
}

function shape(mark, length) {
  return draw("svg", { class: `mark zone-${mark.zone}`, x: `${(100 * mark.ms) / length}%`, y: level(mark.score), width: 1, height: 1, overflow: "visible" },
    draw("path", { d: SHAPES[mark.zone] }));
}

function describe(mark, index, marks, answer) {
  const frame = isNumber(mark.frame) ? `, frame ${mark.frame}` : "";
  return `${clockText(mark.ms)}${frame}, score ${scoreText(mark.score, answer.thresholds)}, ${ZONES[mark.zone]} (${index + 1} of ${marks.length})`;
}

function axis(length) {
  return make("div", { class: "axis soft", "aria-hidden": "true" },
    [0, 0.25, 0.5, 0.75, 1].map((part) => make("span", {}, clockText(part * length))));
}

function legend(answer) {
  const zones = scaleParts(answer.thresholds).map(({ zone }) => zone);
  return make("ul", { class: "legend" },
    zones.map((zone) => make("li", {}, draw("svg", { class: `key mark zone-${zone}`, viewBox: "-8 -8 16 16", "aria-hidden": "true" }, draw("path", { d: SHAPES[zone] })), ZONES[zone])),
    make("li", {}, make("span", { class: "swatch unlooked" }), "not looked at"),
    make("li", { class: "soft" }, "The higher a mark, the higher its frame's score. The verdict rests on the whole clip."));
}

function table(lanes, answer) {
  const heads = ["Face", "Time", "Frame", "Score", "Reads as"];
  const rows = lanes.flatMap(({ name, marks }) => marks.map((mark) =>
    [name, clockText(mark.ms), mark.frame ?? "", scoreText(mark.score, answer.thresholds), ZONES[mark.zone]]));
  return make("details", { class: "frames" }, make("summary", {}, "Scored frames as a table"),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Scored frames" },
      make("table", {}, make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))),
        make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell) => make("td", {}, String(cell)))))))));
}
