// The page: takes files one after the other, and shows what the server says of each.

import { askToken, listenForToken } from "./access.js";
import { afterwards } from "./afterwards.js";
import { call, token } from "./api.js";
import { check } from "./checking.js";
import { clipView } from "./clip.js";
import { announce, byId, make } from "./elements.js";
import { isNumber, limitsText, plural, scoreText, sentence, verdictOf } from "./format.js";
import { takeFiles } from "./intake.js";
import { fingerprint, look } from "./media.js";
import { pictureView } from "./picture.js";
import { hideProgress, showProgress, showState, showWaiting } from "./progress.js";
import { remember, render } from "./session.js";
import { hideTrouble, showTrouble } from "./trouble.js";
import { verdictCard } from "./verdict.js";

const waiting = [];
let limits = null;
let running = null; // the AbortController of the file that is being checked

/** Do something again once the token is there, or say what went wrong. */
function onproblem(problem, { name = "", again = null } = {}) {
  if (problem.status === 401) askToken(again, token.get() ? "This token is not accepted" : undefined);
  else showTrouble(problem, { name, again, ontoken: () => askToken(again, "Use another token") });
}

/** Ask the server what it is; without a token it may say little. */
async function meetServer() {
  let ready = {};
  try {
    ready = await call("GET", "readyz");
  } catch (problem) {
    ready = problem.record ?? {};
    if (problem.status === 0) showTrouble(problem, { again: meetServer });
  }
  limits = ready.limits ?? null;
  showServer(ready);
}

function showServer({ status, version, environment, serving, demo }) {
  const several = serving?.length > 1 ? plural(serving.length, "detector") : null;
  const words = version ? [several ?? `Detector ${version}`, environment].filter(Boolean).join(", ") : "";
  byId("detector").textContent = words || (status === "ready" ? "" : String(status ?? ""));
  byId("detector").hidden = byId("detector").textContent === "";
  byId("demo").hidden = demo !== true;
  byId("limits").textContent = `Pictures (JPEG, PNG, WebP, BMP, TIFF) and videos. ${limitsText(limits)}`;
}

async function work() {
  while (waiting.length && !running) {
    const file = waiting.shift();
    running = new AbortController();
    hideTrouble();
    showProgress(file.name || "Pasted picture", waiting.length);
    try {
      await checkOne(file, running.signal);
    } catch (problem) {
      if (problem.name === "AbortError") announce("Cancelled");
      else if (isNumber(problem.status)) onproblem(problem, { name: file.name, again: () => enqueue([file]) });
      else throw problem;
    } finally {
      running = null;
      hideProgress();
    }
  }
}

async function checkOne(file, signal) {
  const media = await look(file);
  try {
    const cropped = media.kind === "image" ? byId("shows").value : "";
    const answer = await check(media, { limits, cropped, signal, onstate: showState });
    const entry = { answer, media, hash: await fingerprint(file).catch(() => null), at: new Date() };
    const held = byId("progress").contains(document.activeElement);
    remember(entry, open);
    open(entry, { focus: held });
    const { title } = verdictOf(answer);
    announce(`${title}${isNumber(answer.score) ? `, score ${scoreText(answer.score, answer.thresholds)}` : ""}. ${sentence(answer.meaning)}`);
  } catch (problem) {
    URL.revokeObjectURL(media.url);
    throw problem;
  }
}

function open(entry, { focus = true } = {}) {
  const isClip = entry.answer.media_type === "video" || entry.media.kind === "video";
  const demo = entry.answer.demo === true && make("p", { class: "banner demo in-result" }, make("strong", {}, "Demo detector. "), "It was trained on drawn faces: this score says nothing of real ones.");
  byId("result").replaceChildren(...[
    demo,
    make("div", { class: "columns" },
      verdictCard(entry),
      make("div", { class: "side" }, (isClip ? clipView : pictureView)(entry), afterwards(entry, { onproblem, onagain: () => enqueue([entry.media.file]) }))),
  ].filter(Boolean));
  byId("result").hidden = false;
  document.body.classList.add("has-result");
  render(entry, open);
  if (focus) byId("verdict-title").focus({ preventScroll: true });
  byId("result").scrollIntoView({ block: innerWidth < 960 ? "start" : "nearest" });
}

function enqueue(files) {
  waiting.push(...files);
  if (running) showWaiting(waiting.length);
  else work();
}

byId("cancel").addEventListener("click", () => running?.abort());
takeFiles(enqueue);
listenForToken(meetServer);
meetServer();
