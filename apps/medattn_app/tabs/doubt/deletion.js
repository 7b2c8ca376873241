// The deletion's slider: picture, probability and the upright line, without the server.

import { find } from "../common/dom.js";

function showStep(input) {
  const box = input.closest(".ma-delete");
  const step = Number(input.value);
  box.querySelectorAll(".ma-steps img").forEach((picture, at) => {
    picture.hidden = at !== step;
    if (at === step) showNumbers(box, input, picture.dataset);
  });
}

function showNumbers(box, input, { fraction, probability }) {
  const text = `${Math.round(100 * Number(fraction))}%`;
  find("[data-say=fraction]", box).textContent = text;
  find("[data-say=probability]", box).textContent = probability;
  input.setAttribute("aria-valuetext", `${text}, P ${probability}`);
  const shift = Number(fraction) * box.dataset.axis;
  find(".ma-chart-at", box).setAttribute("transform", `translate(${shift} 0)`);
}

element.addEventListener("input", (event) => {
  const input = event.target.closest("[data-tool=step]");
  if (input) showStep(input);
});
