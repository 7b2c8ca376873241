// Explore starts here: the question of the link is opened, and every change is asked.

import { find } from "../common/dom.js";
import { ask } from "./asking.js";
import { stopBlinking } from "./blink.js";
import { drawGrid } from "./grid.js";
import { buildKnobs, drawKnobs } from "./knobs.js";
import { fallBackToPlain, networkId } from "./networks.js";
import { listenToPointer, zoomByKey } from "./pointer.js";
import { drawStage } from "./stage.js";
import { catalogue, page, word } from "./state.js";
import { hideTabs } from "./tab_buttons.js";
import { buildToolbar, setTool } from "./toolbar.js";
import { applyTools, makePile } from "./viewer.js";

function openQuestion() {
  if (!props.opened) return;
  const given = JSON.parse(props.opened);
  const { first } = catalogue;
  const question = { ...first, ...given.question };
  if (!catalogue.texts[question.lang]) question.lang = first.lang;
  if (!catalogue.datasets.includes(question.dataset)) question.dataset = first.dataset;
  page.question = question;
  const notice = fallBackToPlain(question);
  document.documentElement.lang = question.lang;
  buildKnobs();
  buildToolbar();
  buildFooter();
  drawKnobs();
  applyTools();
  hideTabs(question.hide);
  page.notice = [...given.refused, notice].filter(Boolean).join(" ") || null;
  ask();
}

function openUpload() {
  if (!props.uploaded) return;
  const sent = JSON.parse(props.uploaded);
  page.uploaded = sent.uploaded;
  page.previous = null;
  drawKnobs();
  ask(sent.answer && isAsked(sent.answer.question) ? sent : null);
}

// Whether the page still asks the question that an upload came with.
function isAsked(question) {
  const names = Object.keys(catalogue.first);
  return names.every((name) => String(question[name]) === String(page.question[name]));
}

function changeQuestion({ fields, step }) {
  const old = page.question;
  const before = networkId(old);
  const question = { ...old, ...fields };
  page.notice = fallBackToPlain(question);
  const moved = question.dataset !== old.dataset || question.image !== old.image;
  page.question = question;
  const after = networkId(question);
  if (moved) {
    page.uploaded = null;
    page.previous = null;
  } else if (after !== before) {
    page.previous = before;
  }
  stopBlinking();
  drawKnobs();
  // A cell that the grid holds already is shown before the server is asked.
  if (step && page.cells.has(after)) {
    page.id = after;
    drawStage();
    drawGrid();
  }
  ask();
}

function buildStage() {
  const stage = find(".mx-stage");
  const pile = makePile(true);
  stage.append(pile);
  listenToPointer(pile);
  stage.addEventListener("keydown", zoomByKey);
}

function buildDrawer() {
  const drawer = find(".mx-drawer");
  drawer.addEventListener("click", () => {
    const open = find(".mx-change").classList.toggle("mx-open");
    drawer.setAttribute("aria-expanded", String(open));
  });
}

function buildFooter() {
  find(".mx-python summary").textContent = word("python");
  const link = find(".mx-link");
  link.textContent = word("copy_link");
  link.onclick = async () => {
    await navigator.clipboard?.writeText(location.href);
    link.textContent = word("copied");
    setTimeout(() => {
      link.textContent = word("copy_link");
    }, 1500);
  };
}

element.addEventListener("input", (event) => setTool(event.target));
element.addEventListener("medattn-change", (event) => changeQuestion(event.detail));
watch("opened", openQuestion);
watch("uploaded", openUpload);
buildStage();
buildDrawer();
openQuestion();
