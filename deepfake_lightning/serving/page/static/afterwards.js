// What can be done with a result: say what is known, erase it, keep it.

import { announce, icon, make } from "./elements.js";
import { call } from "./api.js";

const WHO = "deepfake-lightning-who";

const remembered = () => {
  try {
    return localStorage.getItem(WHO) ?? "";
  } catch {
    return ""; // a browser may forbid it
  }
};
const remember = (who) => {
  try {
    localStorage.setItem(WHO, who);
  } catch {
    // it is asked again next time
  }
};

/**
 * The card with feedback, erasing, saving and printing.
 * @param then onproblem shows what goes wrong, onagain checks the file again.
 */
export function afterwards(entry, { onproblem, onagain }) {
  const state = make("div", { class: "said", role: "status" });
  const card = make("section", { class: "card after", "aria-labelledby": "after-title" },
    make("h2", { id: "after-title" }, "I know what this is"),
    make("p", { class: "soft" }, "What people know for sure shows how well the detector does."),
    state, feedback(entry, state, onproblem), keeping(entry, state, { onproblem, onagain }));
  tellState(entry, state);
  return card;
}

function tellState(entry, state) {
  const say = (sign, ...words) => make("p", { class: "confirmed" }, icon(sign), make("span", {}, ...words));
  state.replaceChildren(...[
    entry.feedback && say("done", "Thank you. It is noted as ", make("strong", {}, entry.feedback.label), ` by ${entry.feedback.by}. You can send it again to correct it.`),
    entry.erased && say("erase", "Erased on the server. What you see here is in this tab only."),
  ].filter(Boolean));
}

function feedback(entry, state, onproblem) {
  if (entry.erased) return null;
  const option = (value, words) => make("label", { class: "option" },
    make("input", { type: "radio", name: "label", value, required: true }), make("span", {}, words));
  const by = make("input", { id: "by", name: "by", autocomplete: "name", required: true, maxlength: "100" });
  by.value = remembered();
  const form = make("form", { class: "feedback" },
    make("fieldset", {}, make("legend", {}, "It is"), make("div", { class: "options" }, option("real", "Real"), option("fake", "Manipulated"))),
    make("div", { class: "field" }, make("label", { for: "by" }, "Who says so"), by),
    make("div", { class: "field" }, make("label", { for: "note" }, "How it is known ", make("span", { class: "soft" }, "(optional)")),
      make("textarea", { id: "note", name: "note", rows: "2", maxlength: "1000" })),
    make("button", { class: "main", type: "submit" }, "Send"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = new FormData(form);
    const said = { label: given.get("label"), by: given.get("by").trim(), note: given.get("note").trim() };
    await doing(form, onproblem, async () => {
      await call("POST", "v1/feedback", { request_id: entry.answer.request_id, ...said });
      remember(said.by);
      entry.feedback = said;
      tellState(entry, state);
    });
  });
  return form;
}

function keeping(entry, state, { onproblem, onagain }) {
  const erase = make("button", { type: "button", class: "quiet danger", disabled: entry.erased }, icon("erase"), "Erase this request");
  erase.addEventListener("click", async () => {
    if (!(await sure())) return;
    await doing(erase, onproblem, async () => {
      await call("DELETE", `v1/requests/${encodeURIComponent(entry.answer.request_id)}`);
      entry.erased = true;
      entry.feedback = null;
      tellState(entry, state);
      entry.onchange?.();
      erase.closest(".after").querySelector(".feedback")?.remove();
    });
    erase.disabled = entry.erased === true;
  });
  return make("div", { class: "row keeping" },
    make("button", { type: "button", class: "quiet", onclick: onagain }, icon("again"), "Check again"),
    make("button", { type: "button", class: "quiet", onclick: () => print() }, icon("print"), "Print"),
    make("button", { type: "button", class: "quiet", onclick: () => save(entry) }, icon("save"), "Save as JSON"),
    erase);
}

/** Do what asks the server, with its controls shut meanwhile. */
async function doing(node, onproblem, work) {
  const controls = node.matches("button") ? [node] : [...node.querySelectorAll("button")];
  for (const control of controls) control.disabled = true;
  try {
    await work();
  } catch (problem) {
    onproblem(problem);
  } finally {
    for (const control of controls) control.disabled = false;
  }
}

function sure() {
  const no = make("button", { type: "submit", value: "no", autofocus: true }, "Keep it");
  const yes = make("button", { type: "submit", value: "yes", class: "main danger" }, "Erase");
  const dialog = make("dialog", { "aria-labelledby": "sure-title" }, make("form", { method: "dialog" },
    make("h2", { id: "sure-title" }, "Erase this request?"),
    make("p", {}, "The server forgets its scores, and feedback given on it. This cannot be undone."),
    make("div", { class: "row" }, no, yes)));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

function save({ answer, media, hash, at }) {
  const { name, size, type } = media.file;
  const record = { checked: at.toISOString(), file: { name, size, type, sha256: hash }, answer };
  const url = URL.createObjectURL(new Blob([JSON.stringify(record, null, 2)], { type: "application/json" }));
  make("a", { href: url, download: `${name.replace(/\.[^.]*$/, "") || "picture"}-${answer.request_id}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
  announce("Saved");
}
