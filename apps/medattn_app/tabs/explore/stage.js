// The large view and the answer above and beside it: what the chosen network says.

import { find, make } from "../common/dom.js";
import { idInWords, networkId } from "./networks.js";
import { joinUnits, mapOf, methodTitle, page, word } from "./state.js";
import { applyTools, fullScale, showImage, showMap, tools } from "./viewer.js";

export function drawStage() {
  const cell = page.cells.get(page.id);
  if (!cell || !page.picture) return;
  const stage = find(".mx-stage");
  const pile = find(".mx-pile", stage);
  showImage(pile, page.picture);
  showMap(pile, mapOf(page.id), fullScale());
  stage.setAttribute("role", "img");
  stage.setAttribute("aria-label", cell.alt);
  drawProbability(cell);
  drawTruth(cell);
  drawScale(cell);
  drawAudit(cell);
  drawEvidence(cell);
  applyTools();
}

function drawProbability(cell) {
  find(".mx-p-label").textContent = `P(${page.reply?.positive || ""})`;
  find("[data-testid=probability]").textContent = cell.probability_text;
  const bar = find(".mx-bar");
  bar.style.setProperty("--p", cell.probability);
  bar.classList.toggle("mx-spreads", !!cell.seeds);
  if (cell.seeds) {
    bar.style.setProperty("--low", cell.seeds.low);
    bar.style.setProperty("--high", cell.seeds.high);
  }
  find(".mx-spread").textContent = cell.seeds ? cell.seeds.text : word("one_seed");
}

function drawTruth(cell) {
  const { known, label, truth } = page.picture;
  const right = known && (cell.probability >= 0.5) === (label === 1);
  find(".mx-truth span").textContent = `${word("truth")}:`;
  const text = find("[data-testid=truth]");
  text.textContent = truth;
  text.dataset.right = known ? String(right) : "";
}

function drawScale(cell) {
  const [low, high] = element.querySelectorAll(".mx-scale > span");
  const full = String(Number(fullScale().toPrecision(2)));
  low.textContent = `−${full}`;
  high.textContent = `+${full}`;
  const ends = `${word("against")} · 0 · ${word("for")}, ${page.scale.unit}`;
  const text = `${ends}; ${word("one_scale")}${divisor()}`;
  find(".mx-scale small").textContent = text;
  find(".mx-scale").hidden = !cell.map;
}

function divisor() {
  if (!tools.strength) return "";
  const by = 2 ** tools.strength;
  return ` ÷ ${by < 10 ? by.toPrecision(2) : Math.round(by)}`;
}

function drawAudit(cell) {
  const sum = cell.audit && `${cell.audit}${cell.adds ? " ✓" : ""}`;
  const text = sum || cell.refused || word("no_audit");
  find(".mx-audit").replaceChildren(
    make("span", { text: word("audit") }),
    " ",
    make("b", { "data-testid": "audit", text }),
  );
}

// How much of the relevance lies inside the evidence, and what maps without a network
// put there.
function drawEvidence(cell) {
  const box = find(".mx-inside");
  const baselines = page.reply?.baselines;
  if (!baselines || cell.mass == null) {
    const missing = page.picture.known && !page.picture.evidence;
    box.replaceChildren(missing ? make("small", { text: word("no_evidence") }) : "");
    return;
  }
  const { edges, random } = baselines;
  box.replaceChildren(
    make("h3", { text: word("inside_evidence") }),
    makeMeter(methodTitle(), { text: cell.mass_text, fraction: cell.mass }, "mx-method"),
    makeMeter(word("edges"), edges),
    makeMeter(word("random"), random),
  );
}

function makeMeter(title, { text, fraction }, name = "") {
  return make(
    "div",
    { class: `mx-meter ${name}` },
    make("span", { text: title }),
    make("i", { style: `--fraction:${fraction}` }),
    make("b", { text }),
  );
}

// The sentence of what changed; the study's part is added when it is known.
export function drawSentence(reply) {
  find(".mx-sentence h2").textContent = word("what_changed");
  find("[data-testid=sentence]").textContent = joinUnits(reply.change);
  find("[data-testid=study]").replaceChildren();
  find("[data-testid=python]").textContent = reply.python;
  const caution = find(".mx-caution");
  caution.hidden = !reply.caution;
  caution.textContent = reply.caution || "";
}

export function drawConclusion({ study, caution }) {
  const sentences = study.map(({ text, verdict }) =>
    make("p", { text: joinUnits(text), "data-verdict": verdict }));
  find("[data-testid=study]").replaceChildren(...sentences);
  if (caution) find(".mx-caution").textContent = caution;
}

export function showWaiting(waiting) {
  element.classList.toggle("mx-waiting", waiting);
  const stage = find(".mx-stage");
  if (!stage) return;
  const network = idInWords(networkId(page.question)).replaceAll("|", ", ");
  const first = page.reply ? "" : ` · ${word("first_time")}`;
  stage.dataset.wait = waiting ? `${word("computing")}: ${network}${first}` : "";
}

export function showFailure(message) {
  const box = find(".mx-failed") || makeFailure();
  box.textContent = message || "";
  box.hidden = !message;
}

function makeFailure() {
  const options = { class: "mx-failed", role: "alert", "data-testid": "failed" };
  return find(".mx-main").insertBefore(make("p", options), find(".mx-frame"));
}
