// Sends the token once; the cookie that comes back stands for it.
const form = document.getElementById("form");
const wrong = document.getElementById("wrong");

// Only to a page of this server: "//elsewhere" and "https://..." are none.
function target() {
  const to = new URLSearchParams(location.search).get("to") || "/";
  return new URL(to, location.origin).origin === location.origin ? to : "/";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  wrong.textContent = "";
  const token = document.getElementById("token").value.trim();
  try {
    const answer = await fetch("/login", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
    if (answer.ok) {
      location.replace(new URL(target(), location.origin));
      return;
    }
    wrong.textContent = (await answer.json()).error.message;
  } catch {
    wrong.textContent = "The token cannot be sent, or the dashboard does not answer.";
  }
});
