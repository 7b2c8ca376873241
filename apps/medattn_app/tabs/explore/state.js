// What the page holds: its question, the server's answers to it, and its texts.

import { unpack } from "./canvas.js";

export const catalogue = JSON.parse(props.catalogue);
export const page = {
  question: catalogue.first,
  uploaded: null, // the token of the visitor's image on the page
  id: null, // of the cell in the large view
  previous: null, // id of the cell before it
  cells: new Map(), // what the server said of each cell, by id
  maps: new Map(), // the unpacked maps of the same
  group: null, // what all cells held have in common
  grid: null,
  scale: null,
  picture: null,
  reply: null,
  notice: null,
  gates: null, // id of the cell whose gates are drawn
  knobs: null,
};

// The text of a key in the page's language.
export function word(key) {
  const texts = catalogue.texts[page.question.lang] || catalogue.texts.en;
  return texts[key] ?? key;
}

export function methodTitle() {
  return word(`method.${page.question.method}`);
}

// Keeps a number and its unit on one line.
export function joinUnits(text) {
  return text.replace(/(\d) %/g, "$1\u00a0%").replace(/([<>]) \./g, "$1\u00a0.");
}

export function mapOf(id) {
  const cell = page.cells.get(id);
  if (!cell?.map) return null;
  if (!page.maps.has(id)) page.maps.set(id, unpack(cell.map));
  return page.maps.get(id);
}

export function keepCell(id, cell) {
  page.cells.set(id, cell);
  page.maps.delete(id);
}

// Asks the page for another question; explore.js listens.
export function requestChange(fields, { step = false } = {}) {
  const detail = { fields, step };
  element.dispatchEvent(new CustomEvent("medattn-change", { detail }));
}
