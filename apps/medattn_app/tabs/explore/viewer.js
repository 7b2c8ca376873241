// The viewer: layers over one another, in the large view and in every cell alike.

import { find, make } from "../common/dom.js";
import { SIDE, paintMap } from "./canvas.js";
import { borderPath, contourPath, smooth } from "./contours.js";
import { page } from "./state.js";

const SVG = "http://www.w3.org/2000/svg";
const LEVELS = [[0.25, "thin"], [0.5, ""], [1, "thick"]]; // of contours, of the scale

export const tools = {
  opacity: 100,
  photo: false,
  evidence: true,
  gates: false,
  contour: false,
  minus: false,
  strength: 0,
};
export const zoom = { by: 1, x: 0.5, y: 0.5 };

// One pile: photograph, grey image, map, gates, contours, evidence, cross-hair.
export function makePile(large) {
  const test = large ? "stage-map" : null;
  const map = { class: "mx-map", "aria-hidden": "true", "data-testid": test };
  const inner = make(
    "div",
    { class: "mx-inner" },
    make("img", { class: "mx-grey", alt: "", draggable: "false" }),
    make("img", { class: "mx-photo", alt: "", draggable: "false" }),
    make("canvas", { class: "mx-gates", "aria-hidden": "true" }),
    make("canvas", map),
    makeDrawing("mx-contour"),
    makeDrawing("mx-evidence"),
  );
  return make("div", { class: "mx-pile" }, inner, make("i", { class: "mx-cross" }));
}

function makeDrawing(name) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", `0 0 ${SIDE} ${SIDE}`);
  drawing.setAttribute("class", name);
  drawing.setAttribute("aria-hidden", "true");
  return drawing;
}

function addPath(drawing, path, name) {
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  line.setAttribute("class", name);
  drawing.append(line);
}

// Puts an image and its evidence under the map.
export function showImage(pile, picture) {
  if (!picture || pile.dataset.key === picture.key) return;
  pile.dataset.key = picture.key;
  find(".mx-grey", pile).src = picture.grey;
  find(".mx-photo", pile).src = picture.photo;
  const drawing = find(".mx-evidence", pile);
  drawing.replaceChildren();
  if (!picture.evidence) return;
  for (const name of ["mx-halo", "mx-line"]) {
    addPath(drawing, borderPath(picture.evidence), name);
  }
}

// The relevance at which colours are full: the grid's, or less if the learner wants
// weak maps stronger; the same for all maps, and printed.
export function fullScale() {
  return page.scale.value / 2 ** tools.strength;
}

// Puts a map over an image; null takes it away.
export function showMap(pile, values, scale) {
  const canvas = find(".mx-map", pile);
  const drawing = find(".mx-contour", pile);
  pile.values = values;
  drawing.replaceChildren();
  canvas.hidden = !values || tools.contour;
  if (!values) return;
  paintMap(canvas, values, scale);
  const sum = values.reduce((total, value) => total + value, 0);
  canvas.dataset.sum = sum.toPrecision(6);
  if (tools.contour) drawContours(drawing, smooth(values), scale);
}

function drawContours(drawing, values, scale) {
  for (const [fraction, weight] of LEVELS) {
    for (const sign of [1, -1]) {
      const path = contourPath(values, sign * fraction * scale);
      addPath(drawing, path, `mx-${sign > 0 ? "for" : "against"} ${weight}`);
    }
  }
}

export function applyTools() {
  const root = find(".mx");
  root.style.setProperty("--mx-opacity", tools.opacity / 100);
  root.style.setProperty("--mx-zoom", zoom.by);
  root.style.setProperty("--mx-x", `${100 * zoom.x}%`);
  root.style.setProperty("--mx-y", `${100 * zoom.y}%`);
  root.classList.toggle("mx-show-photo", tools.photo);
  root.classList.toggle("mx-hide-evidence", !tools.evidence);
  root.classList.toggle("mx-show-gates", tools.gates);
  root.classList.toggle("mx-zoomed", zoom.by > 1);
}

export function zoomTo(by, x = zoom.x, y = zoom.y) {
  zoom.by = Math.min(8, Math.max(1, by));
  zoom.x = zoom.by === 1 ? 0.5 : Math.min(1, Math.max(0, x));
  zoom.y = zoom.by === 1 ? 0.5 : Math.min(1, Math.max(0, y));
  applyTools();
}
