// The two switches of the header: the language, and light or dark.

import { find } from "../tabs/common/dom.js";

function press(event) {
  const button = event.target.closest("[data-switch]");
  if (!button) return;
  if (button.dataset.switch === "theme") turnLights();
  else openLanguage(button);
}

function turnLights() {
  const dark = document.body.classList.toggle("dark");
  const link = new URLSearchParams(location.search);
  link.set("__theme", dark ? "dark" : "light");
  history.replaceState(history.state, "", `${location.pathname}?${link}`);
}

function openLanguage(button) {
  const link = new URLSearchParams(location.search);
  link.set("lang", button.getAttribute("lang"));
  location.href = new URL(button.dataset.to, location.href).pathname + `?${link}`;
}

// A link that asks for the other language is led to its page.
function followLink() {
  const button = find("[data-switch=language]");
  const wanted = new URLSearchParams(location.search).get("lang");
  if (wanted === button.getAttribute("lang")) openLanguage(button);
}

element.addEventListener("click", press);
followLink();
