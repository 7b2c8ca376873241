// The tools below the large view: they change what is drawn, without the server.

import { find, make } from "../common/dom.js";
import { toggleBlink } from "./blink.js";
import { paintGate, unpack } from "./canvas.js";
import { drawGrid } from "./grid.js";
import { callServer } from "./server.js";
import { drawStage, showFailure } from "./stage.js";
import { page, word } from "./state.js";
import { applyTools, tools, zoom, zoomTo } from "./viewer.js";

const REDRAWN = ["contour", "minus", "strength"]; // tools that change the maps

export function buildToolbar() {
  const blink = make("button", {
    type: "button",
    class: "mx-blink",
    "aria-pressed": "false",
    text: word("blink"),
    onclick: toggleBlink,
  });
  find(".mx-tools").replaceChildren(
    makeSlider("opacity", { min: 0, max: 100 }),
    makeSlider("strength", { min: 0, max: 5, step: 0.5 }),
    makeCheckbox("evidence", word("outline")),
    makeCheckbox("photo", word("photo")),
    makeCheckbox("contour", word("contour")),
    makeCheckbox("gates", word("gate")),
    blink,
  );
  find(".mx-zoom").replaceChildren(
    makeZoom("−", word("farther"), () => zoomTo(zoom.by / 1.5)),
    makeZoom("+", word("closer"), () => zoomTo(zoom.by * 1.5)),
    makeZoom("⤢", word("whole"), () => zoomTo(1)),
  );
}

function makeSlider(name, range) {
  const input = make("input", {
    type: "range",
    ...range,
    value: tools[name],
    "data-tool": name,
    "aria-label": word(name),
  });
  return make("label", {}, word(name), input);
}

function makeCheckbox(name, text) {
  const input = make("input", { type: "checkbox", "data-tool": name });
  input.checked = tools[name];
  return make("label", { "data-for": name }, input, text);
}

function makeZoom(text, title, onclick) {
  return make("button", { type: "button", text, "aria-label": title, title, onclick });
}

// Takes what a tool of the toolbar or of the grid was set to.
export function setTool(input) {
  const name = input.dataset?.tool;
  if (!name) return;
  tools[name] = input.type === "checkbox" ? input.checked : Number(input.value);
  applyTools();
  if (REDRAWN.includes(name)) {
    drawStage();
    drawGrid();
  }
  if (name === "gates") {
    showFailure(null);
    drawGates().catch((error) => showFailure(error.message));
  }
}

async function drawGates() {
  if (!tools.gates || page.gates === page.id) return;
  const wanted = page.id;
  const reply = await callServer("gates");
  if (wanted !== page.id) return;
  page.gates = page.id;
  find("[data-for=gates]").title = reply.refused || "";
  const canvas = find(".mx-stage .mx-gates");
  canvas.hidden = !reply.map;
  if (reply.map) paintGate(canvas, unpack(reply.map));
  else showFailure(reply.refused);
}
