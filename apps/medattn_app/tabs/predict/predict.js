// Predict first: draws the learner's region, and sends the prediction once.

import { find } from "../common/dom.js";
import {
  clearRegion, findBoard, mark, markTowards, moveBrushBy, paintRegion, resetRegion,
  writeRegion,
} from "./region.js";

const MOVES = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
const MARKS = { " ": 1, Enter: 1, Delete: 0, Backspace: 0 };
const pointer = { down: false };

function markUnderPointer(event) {
  const erases = find("[name=ma-pen]:checked")?.value === "erase";
  markTowards(event, erases ? 0 : 1);
}

function startStroke(event) {
  if (event.target !== findBoard()) return;
  pointer.down = true;
  event.target.setPointerCapture(event.pointerId);
  markUnderPointer(event);
}

function continueStroke(event) {
  if (pointer.down && event.target === findBoard()) markUnderPointer(event);
}

function endStroke() {
  pointer.down = false;
}

function drawByKey(event) {
  if (event.target !== findBoard()) return;
  const [x, y] = MOVES[event.key] || [0, 0];
  const value = MARKS[event.key];
  if (!x && !y && value === undefined) return;
  event.preventDefault();
  find(".ma-brush").hidden = false;
  const step = event.shiftKey ? 8 : 1;
  moveBrushBy(x * step, y * step);
  if (value === undefined) paintRegion();
  else mark(value);
}

function press(event) {
  const action = event.target.closest("[data-do]")?.dataset.do;
  if (action === "clear") clearRegion();
  if (action === "next") trigger("select", { next: true });
  if (action === "reveal") reveal();
}

function reveal() {
  const label = find("[name=ma-label]:checked");
  find(".ma-missing").hidden = Boolean(label);
  if (!label) {
    find("[name=ma-label]").focus();
    return;
  }
  const sure = Number(find("[data-tool=sure]").value);
  trigger("submit", { label: Number(label.value), sure, region: writeRegion() });
}

function setTool(event) {
  const { tool, layer } = event.target.dataset;
  if (tool === "sure") find("[data-say=sure]").textContent = `${event.target.value}%`;
  if (tool === "broad") paintRegion();
  if (!layer) return;
  find(".ma-play").classList.toggle(`ma-hide-${layer}`, !event.target.checked);
}

function begin() {
  if (findBoard()) resetRegion();
}

element.addEventListener("pointerdown", startStroke);
element.addEventListener("pointermove", continueStroke);
element.addEventListener("pointerup", endStroke);
element.addEventListener("pointercancel", endStroke);
element.addEventListener("keydown", drawByKey);
element.addEventListener("click", press);
element.addEventListener("input", setTool);
watch("value", begin);
begin();
