// The pointer over a picture: its pixel is marked in all of them; it drags and zooms.

import { find } from "../common/dom.js";
import { SIDE } from "./canvas.js";
import { page, word } from "./state.js";
import { zoom, zoomTo } from "./viewer.js";

const KEYS = {
  ArrowLeft: [-0.1, 0],
  ArrowRight: [0.1, 0],
  ArrowUp: [0, -0.1],
  ArrowDown: [0, 0.1],
};

// Where in the image the pointer lies, each from 0 to 1, whatever the zoom.
function positionOf(event, pile) {
  const box = pile.getBoundingClientRect();
  const unzoom = (value, origin) => origin + (value - origin) / zoom.by;
  return [
    unzoom((event.clientX - box.left) / box.width, zoom.x),
    unzoom((event.clientY - box.top) / box.height, zoom.y),
  ];
}

function signed(value) {
  const text = Math.abs(value).toPrecision(2);
  return (value < 0 ? "−" : "+") + String(Number(text));
}

// Marks the same pixel in every picture, and says each map's number there.
function pointAt(x, y) {
  const inside = x >= 0 && x < 1 && y >= 0 && y < 1;
  const root = find(".mx");
  root.classList.toggle("mx-pointing", inside);
  const column = Math.floor(SIDE * x);
  const row = Math.floor(SIDE * y);
  const pixel = row * SIDE + column;
  for (const pile of root.querySelectorAll(".mx-pile")) {
    markPixel(pile, row, column);
    const cell = pile.closest("[data-cell]");
    if (!cell) continue;
    const note = find(".mx-note", cell);
    const known = inside && pile.values;
    note.textContent = known ? signed(pile.values[pixel]) : note.dataset.text;
  }
  const values = find(".mx-stage .mx-pile")?.values;
  const unit = page.scale?.unit || "";
  find(".mx-readout").textContent = inside && values
    ? `${word("pixel")} (${row}, ${column}): ${signed(values[pixel])} ${unit}`
    : "";
}

function markPixel(pile, row, column) {
  const zoomed = (at, origin) => `${100 * (origin + (at - origin) * zoom.by)}%`;
  const cross = find(".mx-cross", pile);
  cross.style.left = zoomed((column + 0.5) / SIDE, zoom.x);
  cross.style.top = zoomed((row + 0.5) / SIDE, zoom.y);
}

export function listenToPointer(pile) {
  let start = null;
  pile.addEventListener("pointermove", (event) => {
    if (start && zoom.by > 1) drag(pile, start, event);
    else pointAt(...positionOf(event, pile));
  });
  pile.addEventListener("pointerleave", () => {
    start = null;
    pointAt(-1, -1);
  });
  pile.addEventListener("pointerdown", (event) => {
    if (pile.closest("[data-cell]")) return;
    start = { left: event.clientX, top: event.clientY, x: zoom.x, y: zoom.y };
  });
  pile.addEventListener("pointerup", () => {
    start = null;
  });
  pile.addEventListener("dblclick", (event) => {
    zoomTo(zoom.by > 1 ? 1 : 3, ...positionOf(event, pile));
  });
  pile.addEventListener("wheel", (event) => zoomByWheel(pile, event), { passive: false });
}

function drag(pile, start, event) {
  const box = pile.getBoundingClientRect();
  const reach = zoom.by - 1;
  zoomTo(
    zoom.by,
    start.x - (event.clientX - start.left) / box.width / reach,
    start.y - (event.clientY - start.top) / box.height / reach,
  );
}

function zoomByWheel(pile, event) {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  const by = zoom.by * (event.deltaY < 0 ? 1.25 : 0.8);
  if (zoom.by === 1) zoomTo(by, ...positionOf(event, pile));
  else zoomTo(by);
}

// Keys of the large view: + and - zoom, arrows move, 0 shows all.
export function zoomByKey(event) {
  const move = KEYS[event.key];
  if (event.key === "+" || event.key === "=") zoomTo(zoom.by * 1.5);
  else if (event.key === "-") zoomTo(zoom.by / 1.5);
  else if (event.key === "0") zoomTo(1);
  else if (move && zoom.by > 1) zoomTo(zoom.by, zoom.x + move[0], zoom.y + move[1]);
  else return;
  event.preventDefault();
}
