// Where things lie: boxes in a picture, marks on a timeline, zones of a scale. Pure.

import { isNumber, zoneOf } from "./format.js";

/** A box [x, y, w, h] in pixels as percentages of its picture, cut at the picture's edges. */
export function placeBox(box, width, height) {
  if (!Array.isArray(box) || box.length !== 4 || !box.every(isNumber)) return null;
  if (!(width > 0 && height > 0)) return null;
  const cut = (value, most) => Math.min(Math.max(value, 0), most);
  const [x, y, w, h] = box;
  const [left, right] = [cut(x, width), cut(x + w, width)];
  const [top, bottom] = [cut(y, height), cut(y + h, height)];
  if (right <= left || bottom <= top) return null;
  return {
    left: (100 * left) / width,
    top: (100 * top) / height,
    width: (100 * (right - left)) / width,
    height: (100 * (bottom - top)) / height,
  };
}

/** The parts of the scale from 0 to 1, from low to high. */
export function scaleParts(thresholds) {
  if (!thresholds || !isNumber(thresholds.indicated_from)) return [{ zone: "unset", from: 0, to: 1 }];
  const high = Math.min(Math.max(thresholds.indicated_from, 0), 1);
  const low = isNumber(thresholds.clear_below) ? Math.min(Math.max(thresholds.clear_below, 0), high) : 0;
  return [
    { zone: "clear", from: 0, to: low },
    { zone: "between", from: low, to: high },
    { zone: "indicated", from: high, to: 1 },
  ].filter((part) => part.to > part.from);
}

/** The tracks of a clip with their scored frames, the suspicious first; times in seconds. */
export function lanesOf(answer) {
  const lanes = new Map();
  for (const track of answer.tracks ?? []) {
    lanes.set(track.track, { track: track.track, score: track.score, verdict: track.verdict, marks: [] });
  }
  for (const face of answer.faces ?? []) {
    if (!isNumber(face.timestamp_ms)) continue;
    const key = face.track ?? null;
    if (!lanes.has(key)) lanes.set(key, { track: key, score: null, verdict: null, marks: [] });
    lanes.get(key).marks.push({
      ms: face.timestamp_ms,
      frame: face.frame,
      score: face.score,
      logit: face.logit,
      box: face.box,
      zone: zoneOf(face.score, answer.thresholds),
    });
  }
  const all = [...lanes.values()].filter((lane) => lane.marks.length);
  for (const lane of all) lane.marks.sort((a, b) => a.ms - b.ms);
  return all.sort((a, b) => (b.score ?? -1) - (a.score ?? -1));
}

/** The length of a clip in milliseconds: as the server has it, or the last mark's time. */
export function lengthOf(answer, lanes) {
  const last = Math.max(0, ...lanes.flatMap((lane) => lane.marks.map((mark) => mark.ms)));
  const said = answer.examined?.seconds_in_clip;
  return Math.max(isNumber(said) ? said * 1000 : 0, last, 1);
}

/** The stretches of a clip that were looked at, as [from, to] in milliseconds. */
export function seenStretches(answer, lanes, length) {
  const { frames, seconds, timestamps_ms: looked } = answer.examined ?? {};
  const shown = isNumber(seconds) && frames > 0 ? (seconds * 1000) / frames : 40;
  const marked = lanes.flatMap((lane) => lane.marks.map((mark) => mark.ms));
  const times = [...new Set([...(Array.isArray(looked) ? looked : []), ...marked])];
  const stretches = [];
  for (const from of times.sort((a, b) => a - b)) {
    const to = Math.min(from + shown, length);
    const last = stretches.at(-1);
    if (last && from <= last[1] + 0.5) last[1] = Math.max(last[1], to);
    else stretches.push([from, to]);
  }
  return stretches;
}

/** The mark nearest to a time; -1 where there is none. */
export function nearestMark(marks, ms) {
  let best = -1;
  marks.forEach((mark, index) => {
    if (best < 0 || Math.abs(mark.ms - ms) < Math.abs(marks[best].ms - ms)) best = index;
  });
  return best;
}

/** The mark a key goes to, null where the key goes nowhere. */
export function markAfterKey(key, index, count) {
  const leap = Math.max(2, Math.round(count / 10));
  const to = {
    ArrowRight: index + 1,
    ArrowUp: index + 1,
    ArrowLeft: index - 1,
    ArrowDown: index - 1,
    PageUp: index + leap,
    PageDown: index - leap,
    Home: 0,
    End: count - 1,
  }[key];
  return to === undefined || count === 0 ? null : Math.min(Math.max(to, 0), count - 1);
}
