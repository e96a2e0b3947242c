// What went wrong, in the server's words, and what to do about it.

import { bringIntoView, byId, icon, make } from "./elements.js";
import { durationText, sentence } from "./format.js";

const WORTH_A_RETRY = new Set([0, 408, 429, 500, 502, 503, 504]);
let timer = 0;

/** Show a problem; `again` (if any) does once more what failed, `ontoken` asks for another token. */
export function showTrouble(problem, { name = "", again = null, ontoken = null } = {}) {
  hideTrouble();
  byId("trouble-words").replaceChildren(make("div", {},
    make("h2", {}, icon("warning"), name ? `${name}: not checked` : "That did not work"),
    make("p", {}, sentence(problem.message)),
    make("p", {}, make("strong", {}, "Next: "), sentence(problem.next)),
    problem.requestId && make("p", { class: "soft" }, "Request ", make("span", { class: "code" }, problem.requestId)),
  ));
  const close = make("button", { type: "button", class: "quiet", onclick: hideTrouble }, "Close");
  const actions = [
    again && WORTH_A_RETRY.has(problem.status) && retry(problem, again),
    ontoken && problem.code === "scope" && make("button", { type: "button", onclick: ontoken }, "Use another token"),
    close,
  ];
  byId("trouble-actions").replaceChildren(...actions.filter(Boolean));
  byId("trouble").hidden = false;
  bringIntoView(byId("trouble"));
}

/** A button that opens when the wait that the server asks for is over. */
function retry({ wait }, again) {
  const button = make("button", { type: "button", class: "main" }, "Try again");
  button.addEventListener("click", () => {
    hideTrouble();
    again();
  });
  if (wait === null) return button;
  const until = Date.now() + wait * 1000;
  const words = make("span", { class: "soft" }, "");
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    button.disabled = left > 0;
    words.textContent = left > 0 ? `The server asks to wait: ${durationText(left)}` : "";
  };
  tick();
  timer = setInterval(tick, 250);
  return make("span", { class: "row" }, button, words);
}

export function hideTrouble() {
  clearInterval(timer);
  byId("trouble").hidden = true;
}
