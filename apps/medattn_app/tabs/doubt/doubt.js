// The deletion's slider: picture, probability and the upright line, without the server.
function show(input) {
  const box = input.closest(".ma-delete");
  const step = Number(input.value);
  box.querySelectorAll(".ma-steps img").forEach((picture, at) => {
    picture.hidden = at !== step;
    if (at !== step) return;
    const share = Number(picture.dataset.share);
    const text = `${Math.round(100 * share)}%`;
    box.querySelector("[data-say=share]").textContent = text;
    box.querySelector("[data-say=chance]").textContent = picture.dataset.chance;
    input.setAttribute("aria-valuetext", `${text}, P ${picture.dataset.chance}`);
    const line = box.querySelector(".ma-chart-at");
    line.setAttribute("transform", `translate(${share * box.dataset.axis} 0)`);
  });
}

element.addEventListener("input", (event) => {
  const input = event.target.closest("[data-tool=step]");
  if (input) show(input);
});
