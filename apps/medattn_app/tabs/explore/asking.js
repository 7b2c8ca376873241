// Asks the server what the page's question is answered, and draws the answer.

import { drawGrid } from "./grid.js";
import { callForCells, callServer, fetchPicture, keepPicture } from "./server.js";
import {
  drawConclusion, drawSentence, drawStage, showFailure, showWaiting,
} from "./stage.js";
import { catalogue, keepCell, page, word } from "./state.js";

const PATIENCE = 200; // milliseconds until a wait is shown
const asking = { busy: false, again: false, sent: null, count: 0 };

// Asks; a question that comes meanwhile is asked when the answer is there. An upload is
// answered with picture and answer, `sent`: then the server is not asked again.
export async function ask(sent = null) {
  asking.count += 1;
  if (asking.busy) {
    asking.again = true;
    asking.sent = sent;
    return;
  }
  asking.busy = true;
  const turn = asking.count;
  const late = setTimeout(() => showWaiting(true), PATIENCE);
  try {
    if (sent) keepPicture(sent.picture);
    const [picture, reply] = await Promise.all([
      fetchPicture(), sent ? sent.answer : callForCells("answer"),
    ]);
    clearTimeout(late);
    if (turn === asking.count) {
      page.picture = picture;
      showReply(reply);
      await fillGrid(turn);
    }
  } catch (error) {
    if (turn === asking.count) showFailure(error.message || word("failed"));
  } finally {
    clearTimeout(late);
    showWaiting(false);
    asking.busy = false;
    if (asking.again) {
      asking.again = false;
      ask(asking.sent);
    }
  }
}

function showReply(reply) {
  takeCells(reply);
  page.id = reply.id;
  page.reply = reply;
  keepCell(reply.id, reply.cell);
  showFailure(page.notice);
  drawStage();
  drawGrid();
  drawSentence(reply);
  writeLink(reply);
  trigger("change", { question: reply.question });
}

async function fillGrid(turn) {
  while (page.reply.missing.length && turn === asking.count) {
    const more = await callForCells("fill");
    if (turn !== asking.count) return;
    page.reply.missing = more.missing;
    takeCells(more);
    drawStage();
    drawGrid();
  }
  if (turn !== asking.count) return;
  const conclusion = await callServer("conclude");
  if (turn === asking.count) drawConclusion(conclusion);
}

function takeCells(reply) {
  if (reply.group !== page.group) {
    page.cells.clear();
    page.maps.clear();
    page.gates = null;
  }
  page.group = reply.group;
  page.grid = reply.grid;
  page.scale = reply.scale;
  for (const [id, cell] of Object.entries(reply.cells)) keepCell(id, cell);
}

// The link of the page is the question; what others put into it stays.
function writeLink(reply) {
  const link = new URLSearchParams(location.search);
  for (const name of Object.keys(catalogue.first)) link.delete(name);
  if (!page.uploaded) {
    new URLSearchParams(reply.query).forEach((value, name) => {
      if (name !== "lang") link.set(name, value);
    });
  }
  const text = link.toString();
  history.replaceState(history.state, "", location.pathname + (text ? `?${text}` : ""));
}
