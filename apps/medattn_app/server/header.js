// The two switches of the header: the language, and light or dark.
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-switch]");
  if (!button) return;
  if (button.dataset.switch === "theme") {
    const dark = document.body.classList.toggle("dark");
    const link = new URLSearchParams(location.search);
    link.set("__theme", dark ? "dark" : "light");
    history.replaceState(history.state, "", `${location.pathname}?${link}`);
    return;
  }
  leave(button);
});

function leave(button) {
  const link = new URLSearchParams(location.search);
  link.set("lang", button.getAttribute("lang"));
  location.href = new URL(button.dataset.to, location.href).pathname + `?${link}`;
}

// A link that asks for the other language is led to its page.
const switcher = element.querySelector("[data-switch=language]");
if (new URLSearchParams(location.search).get("lang") === switcher.getAttribute("lang"))
  leave(switcher);
