// What is going on with a file while one waits.

import { announce, bringIntoView, byId } from "./elements.js";
import { durationText, isNumber, plural } from "./format.js";

const bar = () => byId("progress-bar");

function setBar(fraction) {
  if (isNumber(fraction)) bar().value = Math.min(Math.max(fraction, 0), 1);
  else bar().removeAttribute("value"); // it moves without saying how far
}

export function showProgress(name, waiting) {
  byId("progress").hidden = false;
  byId("progress-title").textContent = name;
  byId("progress-words").textContent = "Opening";
  setBar(null);
  showWaiting(waiting);
  bringIntoView(byId("progress"));
  announce(`Checking ${name}`);
}

export function showWaiting(count) {
  const line = byId("progress-queue");
  line.hidden = count === 0;
  line.textContent = `${plural(count, "more file")} after this one`;
}

/** Show a state of `check`; `job` is the server's record of it, where there is one. */
export function showState({ phase, fraction = null, job = null }) {
  const { frames, frames_to_do: all, share, seconds_left: left } = job?.progress ?? {};
  const counted = isNumber(frames) && all > 0 ? `, frame ${frames} of ${all}` : "";
  const rest = isNumber(left) ? `, about ${durationText(Math.ceil(left))} left` : "";
  const ahead = job?.ahead > 0 ? `, ${plural(job.ahead, "other")} before it` : "";
  byId("progress-words").textContent = {
    sending: `Being sent, ${Math.round(100 * (fraction ?? 0))} %`,
    queued: `Waiting for its turn${ahead}`,
    running: `Being looked at${counted}${rest}`,
  }[phase] ?? "Being looked at";
  setBar(phase === "sending" ? fraction : phase === "running" && all > 0 ? share : null);
}

export function hideProgress() {
  byId("progress").hidden = true;
}
