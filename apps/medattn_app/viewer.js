// Opacity, photograph and outline are changed here, without asking the server; they
// outlast a new answer.
const tools = { opacity: "100", photo: false, evidence: true };

function apply() {
  const root = element;
  root.style.setProperty("--ma-opacity", Number(tools.opacity) / 100);
  root.classList.toggle("ma-show-photo", tools.photo);
  root.classList.toggle("ma-hide-evidence", !tools.evidence);
  root.querySelectorAll("[data-tool]").forEach((input) => {
    if (input.type === "checkbox") input.checked = tools[input.dataset.tool];
    else input.value = tools[input.dataset.tool];
  });
}

element.addEventListener("input", (event) => {
  const input = event.target.closest("[data-tool]");
  if (!input) return;
  tools[input.dataset.tool] = input.type === "checkbox" ? input.checked : input.value;
  apply();
});

element.addEventListener("click", (event) => {
  const cell = event.target.closest("button[data-attention]");
  if (cell) trigger("select", { attention: cell.dataset.attention });
});

watch("value", apply);
apply();
