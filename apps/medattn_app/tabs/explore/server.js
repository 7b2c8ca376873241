// Calls of the server: each sends the question, and throws what the server refuses.

import { page, word } from "./state.js";

const pictures = new Map(); // by what they show

export async function callServer(name, extra = {}) {
  const { question, uploaded, previous } = page;
  const reply = await server[name]({ question, uploaded, previous, ...extra });
  if (!reply || reply.error) throw new Error(reply?.error || word("failed"));
  return reply;
}

// Calls for cells of the grid; those that the page holds are not sent again.
export function callForCells(name) {
  return callServer(name, { group: page.group, have: [...page.cells.keys()] });
}

function pictureKey() {
  const { dataset, image, lang } = page.question;
  return `${dataset} ${image} ${page.uploaded} ${lang}`;
}

export function keepPicture(picture) {
  pictures.set(pictureKey(), picture);
}

export async function fetchPicture() {
  const key = pictureKey();
  if (!pictures.has(key)) pictures.set(key, await callServer("picture"));
  return pictures.get(key);
}
