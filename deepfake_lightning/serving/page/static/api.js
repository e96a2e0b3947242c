// The server's answers, or a Problem that says what is wrong and what to do.

import { retryAfter } from "./format.js";

const KEY = "deepfake-lightning-token";
const TAB = "deepfake-lightning-tab";

/** Kept for this tab only. */
export const token = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

export class Problem extends Error {
  constructor(status, { code, message, next, wait = null, requestId = null, record = null }) {
    super(message);
    Object.assign(this, { status, code, next, wait, requestId, record });
  }
}

const offline = () =>
  new Problem(0, {
    code: "offline",
    message: "The server does not answer",
    next: "Check that it is running and that this device is connected, then try again",
  });

function headers(more = {}) {
  return token.get() ? { ...more, Authorization: `Bearer ${token.get()}` } : more;
}

/** A random name for this tab: while versions are compared, all its files go to the same one. */
function tabKey() {
  const made = sessionStorage.getItem(TAB) ?? Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-");
  sessionStorage.setItem(TAB, made);
  return made;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function problemOf(status, record, wait) {
  const { code, message, next } = record?.error ?? {};
  return new Problem(status, {
    code: String(code ?? "http"),
    message: String(message ?? `The server answered with status ${status}`),
    next: String(next ?? "Try again; if it stays so, ask whoever runs this server"),
    wait: retryAfter(wait, Date.now()),
    requestId: record?.request_id ?? null,
    record,
  });
}

/** Ask the server; paths are relative, so that it may lie below a prefix. */
export async function call(method, path, body = null) {
  let answer;
  let text;
  try {
    answer = await fetch(path, {
      method,
      headers: headers(body ? { "Content-Type": "application/json" } : {}),
      body: body && JSON.stringify(body),
      cache: "no-store",
    });
    text = await answer.text();
  } catch {
    throw offline();
  }
  if (!answer.ok) throw problemOf(answer.status, parsed(text), answer.headers.get("Retry-After"));
  return parsed(text);
}

/** Send a file as it is. fetch tells nothing of how much is sent, so this is an XMLHttpRequest. */
export function send(path, file, { onsent, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(headers({ "X-Client-Key": tabKey() }))) request.setRequestHeader(name, value);
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.upload.addEventListener("progress", (event) => onsent(event.loaded / (event.total || 1)));
    request.upload.addEventListener("load", () => onsent(1));
    request.addEventListener("load", () => {
      const record = parsed(request.responseText);
      if (request.status >= 200 && request.status < 300 && record) resolve(record);
      else reject(problemOf(request.status, record, request.getResponseHeader("Retry-After")));
    });
    request.addEventListener("error", () => reject(offline()));
    request.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    if (signal.aborted) request.abort();
    else request.send(file);
  });
}
