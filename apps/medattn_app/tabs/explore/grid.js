// The grid: the same image under every network, stepped through by mouse or keyboard.

import { find, make } from "../common/dom.js";
import { idInWords, readId } from "./networks.js";
import { listenToPointer } from "./pointer.js";
import { mapOf, page, requestChange, word } from "./state.js";
import { fullScale, makePile, showImage, showMap, tools } from "./viewer.js";

const STEPS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

export function drawGrid() {
  const box = find(".mx-grid");
  const focused = document.activeElement?.dataset?.cell;
  if (!page.grid || !page.picture) return;
  const key = JSON.stringify([page.grid, page.question.lang]);
  if (box.dataset.key !== key) {
    box.dataset.key = key;
    buildGrid(box);
  }
  for (const button of box.querySelectorAll("[data-cell]")) drawCell(button);
  if (focused) find(`[data-cell="${focused}"]`, box)?.focus({ preventScroll: true });
}

function drawCell(button) {
  const id = button.dataset.cell;
  const cell = page.cells.get(id);
  const pile = find(".mx-pile", button);
  const chosen = id === page.id;
  button.setAttribute("aria-pressed", String(chosen));
  button.tabIndex = chosen ? 0 : -1;
  showImage(pile, page.picture);
  showMap(pile, cellMap(id), fullScale());
  button.classList.toggle("mx-missing", !cell);
  find(".mx-cell-p", button).textContent = cell ? cell.probability_text : "…";
  const note = find(".mx-note", button);
  note.dataset.text = cell ? noteOf(cell) : "";
  note.textContent = note.dataset.text;
  const label = cell ? `${cell.title}: ${cell.alt}` : `${word("computing")} ${idInWords(id)}`;
  button.setAttribute("aria-label", label);
  button.title = cell ? titleOf(cell) : "";
}

// The map of a cell, minus that of the chosen one if the learner wants it so.
function cellMap(id) {
  const values = mapOf(id);
  const chosen = mapOf(page.id);
  if (!tools.minus || !values || id === page.id || !chosen) return values;
  return values.map((value, at) => value - chosen[at]);
}

function noteOf(cell) {
  return cell.refused ? "—" : cell.mass_text || "";
}

function titleOf(cell) {
  const refused = cell.refused ? ` · ${cell.refused}` : "";
  return `${cell.title} · ${word("test_auroc")} ${cell.auroc}${refused}`;
}

function buildGrid(box) {
  const { columns, rows, title } = page.grid;
  const style = `--columns:${columns.length}`;
  const table = make(
    "div",
    { class: "mx-cells", role: "group", "aria-label": title, style },
    make("span"),
    ...columns.map((text) => make("span", { class: "mx-head", text })),
  );
  for (const row of rows) {
    const cells = row.cells.map((id) => (id ? makeCell(id) : make("span")));
    table.append(make("span", { class: "mx-row", text: row.title }), ...cells);
  }
  table.addEventListener("keydown", stepByKey);
  const minus = make("input", { type: "checkbox", "data-tool": "minus" });
  minus.checked = tools.minus;
  const head = make(
    "div",
    { class: "mx-grid-head" },
    make("h3", { "data-testid": "grid-title", text: title }),
    make("label", { class: "mx-minus" }, minus, word("minus")),
  );
  box.replaceChildren(head, table, make("small", { class: "mx-hint", text: word("step") }));
}

function makeCell(id) {
  const pile = makePile(false);
  listenToPointer(pile);
  return make(
    "button",
    {
      type: "button",
      class: "mx-cell",
      "data-cell": id,
      "data-testid": `cell-${id}`,
      onclick: () => stepInto(id),
    },
    pile,
    make(
      "span",
      { class: "mx-cell-text" },
      make("b", { class: "mx-cell-p" }),
      make("small", { class: "mx-note" }),
    ),
  );
}

function stepInto(id) {
  const { backbone, attention, regime, initialisation = "random", shortcut = "none" } =
    readId(id);
  const fields = { backbone, regime: Number(regime), initialisation, shortcut };
  if (attention !== "self") fields.attention = attention;
  requestChange(fields, { step: true });
}

function stepByKey(event) {
  const step = STEPS[event.key];
  if (!step) return;
  event.preventDefault();
  const rows = page.grid.rows.map((row) => row.cells);
  const at = rows.findIndex((row) => row.includes(page.id));
  const next = rows[at + step[0]]?.[rows[at].indexOf(page.id) + step[1]];
  if (!next) return;
  find(`[data-cell="${next}"]`).focus();
  stepInto(next);
}
