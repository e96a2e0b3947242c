// Elements from data. Text is always set as text, never read as markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An element: `make("p", { class: "soft", onclick: f }, "text", otherElement)`. */
export const make = (tag, attributes = {}, ...children) =>
  filled(document.createElement(tag), attributes, children);

export const draw = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, tag), attributes, children);

export const byId = (id) => document.getElementById(id);

/** An icon of the page's own set; words beside it say the same. */
export const icon = (name) =>
  draw("svg", { class: "icon", "aria-hidden": "true", focusable: "false" }, draw("use", { href: `#i-${name}` }));

/** Place an element; the content policy forbids style attributes, not this. */
export function place(node, styles) {
  for (const [name, value] of Object.entries(styles)) node.style.setProperty(name, value);
  return node;
}

/** Scroll no further than it takes to see something. */
export const bringIntoView = (node) => node.scrollIntoView({ block: "nearest" });

/** Say something to screen readers without moving anything. */
export function announce(text) {
  const region = byId("spoken");
  region.textContent = "";
  setTimeout(() => { region.textContent = text; }, 50);
}

/** A button that copies a text, and says so. */
export function copyButton(text, what) {
  const label = make("span", {}, "Copy");
  const button = make("button", { type: "button", class: "small quiet", "aria-label": `Copy ${what}` }, icon("copy"), label);
  button.addEventListener("click", async () => {
    label.textContent = (await copied(text)) ? "Copied" : "Not allowed";
    announce(`${what}: ${label.textContent.toLowerCase()}`);
    setTimeout(() => { label.textContent = "Copy"; }, 2000);
  });
  return button;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = make("textarea", { class: "unseen", "aria-hidden": "true", readonly: true });
    field.value = text; // where there is no clipboard: pages that come over plain HTTP
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
