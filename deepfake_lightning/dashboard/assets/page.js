// What the page does without asking the server: theme, pause, keys, filters, and what is clicked.
(() => {
  "use strict";
  const root = document.documentElement;
  const stored = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const store = (name, value) => { try { localStorage.setItem(name, value); } catch { /* private */ } };
  const set = (id, props) => window.dash_clientside.set_props(id, props);

  const theme = stored("theme");
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;

  function changeTheme() {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    store("theme", root.dataset.theme);
  }

  function pause(button) {
    const paused = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? "Go on" : "Pause";
    set("tick", { disabled: paused });
  }

  async function copy(button) {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch { // not allowed off localhost without HTTPS: it is selected instead
      getSelection().selectAllChildren(button.previousElementSibling);
      return;
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  function act(button) {
    const note = document.querySelector("[data-note]");
    const { act, of, value } = button.dataset;
    for (const each of document.querySelectorAll(`[data-act="${act}"]`)) each.disabled = act === "opinion";
    set("deed", { data: { act, of, value, note: act === "opinion" && note ? note.value : "", at: Date.now() } });
    // Should nothing come of it, they are to be had again.
    setTimeout(() => { for (const each of document.querySelectorAll("[data-act]")) each.disabled = false; }, 4000);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.id === "theme") changeTheme();
    else if (button.id === "pause") pause(button);
    else if (button.id === "leave") fetch("/logout", { method: "POST" }).finally(() => location.assign("/login"));
    else if (button.dataset.copy) copy(button);
    else if (button.dataset.act) act(button);
  });

  document.addEventListener("change", (event) => {
    const name = event.target.dataset && event.target.dataset.filter;
    if (!name) return;
    const query = new URLSearchParams(location.search);
    if (event.target.value) query.set(name, event.target.value);
    else query.delete(name);
    if (name === "env") query.delete("version");
    set("url", { search: query.size ? `?${query}` : "" });
  });

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const button = document.querySelector(`button[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    if (button && !button.disabled) button.click();
  });

  // Who may not look any more (a session that ended) is led to the login.
  const ask = window.fetch;
  window.fetch = async (...args) => {
    const answer = await ask(...args);
    if (answer.status === 401) {
      location.assign(`/login?${new URLSearchParams({ to: location.pathname + location.search })}`);
    }
    return answer;
  };

  // A page that is shown anew is made of new elements: what had the focus has it again, and what
  // was opened is open.
  const opened = new Set();
  let focused = null;
  const nameOf = (element) => [element.tagName, element.textContent, element.dataset.of, element.getAttribute("href")].join("|");

  document.addEventListener("focusin", (event) => {
    focused = event.target.closest("#content, nav") ? { element: event.target, name: nameOf(event.target) } : null;
  });
  document.addEventListener("toggle", (event) => {
    const name = nameOf(event.target);
    if (event.target.open) opened.add(name);
    else if (event.target.isConnected) opened.delete(name);
  }, true);

  function restore() {
    for (const each of document.querySelectorAll("details:not([open])")) {
      if (opened.has(nameOf(each))) each.open = true;
    }
    if (!focused || focused.element.isConnected || document.activeElement !== document.body) return;
    const again = [...document.querySelectorAll(focused.element.tagName)].find((each) => nameOf(each) === focused.name);
    focused = null;
    if (again) again.focus({ preventScroll: true });
  }

  new MutationObserver(() => {
    restore();
    const title = document.querySelector("main h1");
    const name = title ? `${title.textContent}: Deepfake Lightning` : "Deepfake Lightning";
    if (document.title !== name) document.title = name;
  }).observe(document.body, { childList: true, subtree: true });
})();
