// One file through the server: at once, or as a job where it is long or large.

import { Problem, call, send } from "./api.js";
import { bytesText } from "./format.js";

const PREDICT = "v1/predict";
const JOBS = "v1/jobs";
const TOO_MUCH = 413;
const LONG = new Set(["too_long", "deadline"]); // how long a clip is shows only in the server, at times

/**
 * Check a file.
 * @param media what `look` found.
 * @param options limits (of the server, or null), cropped ("true", "false" or ""), onstate, signal.
 *   onstate gets {phase: "sending", fraction}, {phase: "scoring"}, or {phase, job} of a job
 *   that is queued or running.
 */
export async function check(media, options) {
  const { limits } = options;
  if (fits(media, limits)) {
    try {
      return await predicted(media, options);
    } catch (problem) {
      const isLong = problem.status === TOO_MUCH || LONG.has(problem.code);
      if (!isLong || media.kind !== "video" || !limits?.job_max_bytes) throw problem;
    }
  }
  if (media.kind !== "video" || !limits?.job_max_bytes) throw tooLarge(media.file, limits?.max_bytes);
  if (media.file.size > limits.job_max_bytes) throw tooLarge(media.file, limits.job_max_bytes);
  return done(await started(media, options), options);
}

function fits({ file, kind, seconds }, limits) {
  if (!limits) return true;
  if (limits.max_bytes && file.size > limits.max_bytes) return false;
  return kind !== "video" || !limits.max_seconds || seconds === null || seconds <= limits.max_seconds;
}

function tooLarge(file, most) {
  return new Problem(TOO_MUCH, {
    code: "too_large",
    message: `This file has ${bytesText(file.size)}, and the server takes ${most ? bytesText(most) : "less"}`,
    next: "Send a smaller or shorter one",
  });
}

async function predicted({ file }, { cropped, onstate, signal }) {
  const onsent = (fraction) =>
    onstate(fraction < 1 ? { phase: "sending", fraction } : { phase: "scoring" });
  onstate({ phase: "sending", fraction: 0 });
  return send(cropped ? `${PREDICT}?already_cropped=${cropped}` : PREDICT, file, { onsent, signal });
}

async function started({ file }, { onstate, signal }) {
  onstate({ phase: "sending", fraction: 0 });
  const onsent = (fraction) => onstate({ phase: "sending", fraction });
  const job = await send(JOBS, file, { onsent, signal });
  return job.id;
}

async function done(id, { onstate, signal }) {
  const path = `${JOBS}/${encodeURIComponent(id)}`;
  let missed = 0;
  try {
    for (let wait = 500; ; wait = Math.min(wait * 1.3, 3000)) {
      let job = null;
      try {
        job = await call("GET", path);
        missed = 0;
      } catch (problem) {
        missed += 1; // the server may be starting anew: jobs survive that
        if ((problem.status && problem.status < 500) || missed > 8) throw problem;
      }
      if (job?.state === "done") return { request_id: id, ...job.result };
      if (job?.state === "failed") throw failed(job);
      if (job?.state === "cancelled") throw new DOMException("cancelled", "AbortError");
      if (job) onstate({ phase: job.state, job });
      await pause(wait, signal);
    }
  } catch (problem) {
    if (signal.aborted) await call("DELETE", path).catch(() => {});
    throw problem;
  }
}

function failed({ error, id }) {
  const { code = "failed", message = "The video could not be checked", next = "Try it again" } = error ?? {};
  return new Problem(422, { code, message, next, requestId: id });
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new DOMException("cancelled", "AbortError"));
    if (signal.aborted) stop();
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onabort);
      resolve();
    }, ms);
    const onabort = () => {
      clearTimeout(timer);
      stop();
    };
    signal.addEventListener("abort", onabort, { once: true });
  });
}
