// What was checked on this page: a list in memory, to go back to.

import { byId, icon, make } from "./elements.js";
import { isNumber, scoreText, verdictOf } from "./format.js";

const entries = [];

export function remember(entry, onopen) {
  entries.unshift(entry);
  entry.onchange = () => render(entry, onopen);
  render(entry, onopen);
}

export function render(current, onopen) {
  byId("session").hidden = entries.length === 0;
  byId("session-list").replaceChildren(...entries.map((entry) => {
    const { title, tone } = verdictOf(entry.answer);
    const button = make("button", { type: "button", class: `entry zone-${tone}`, "aria-current": entry === current ? "true" : null },
      icon(tone),
      make("span", { class: "grow" },
        make("strong", { class: "file" }, entry.media.file.name || "Pasted picture"),
        make("span", { class: "soft" }, `${title}${entry.erased ? ", erased" : ""}, ${entry.at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`)),
      make("span", { class: "number" }, isNumber(entry.answer.score) ? scoreText(entry.answer.score, entry.answer.thresholds) : ""));
    button.addEventListener("click", () => onopen(entry));
    return make("li", {}, button);
  }));
}
