// The token, where the server asks for one.

import { token } from "./api.js";
import { announce, byId } from "./elements.js";

let waiting = [];

/** Ask for a token, then do `again`. */
export function askToken(again = null, title = "This server asks for a token") {
  if (again) waiting.push(again);
  byId("token").hidden = false;
  byId("token-title").lastElementChild.textContent = title;
  announce(title);
  byId("token-field").focus();
}

/** Show the button that changes the token, where there is one. */
function showHeld() {
  byId("token-held").hidden = token.get() === "";
  byId("token-forget").hidden = token.get() === "";
}

async function settle(value, onchange) {
  token.set(value);
  byId("token-field").value = "";
  byId("token").hidden = true;
  showHeld();
  const now = waiting;
  waiting = [];
  await onchange();
  if (value) for (const again of now) again();
}

/** Listen to the token's form; `onchange` is done before what waited for the token. */
export function listenForToken(onchange) {
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    settle(byId("token-field").value.trim(), onchange);
  });
  byId("token-forget").addEventListener("click", () => settle("", onchange));
  byId("token-held").addEventListener("click", () => askToken(null, "Change the token"));
  showHeld();
}
