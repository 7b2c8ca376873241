// The knobs: what the learner changes about the question.

import { find, make } from "../common/dom.js";
import {
  KINDS, PLAIN, attentionTitle, changeOfKind, describeShipped, isPlain, isShipped,
} from "./networks.js";
import { catalogue, joinUnits, methodTitle, page, requestChange, word } from "./state.js";
import { drawStrip, makeStrip } from "./strip.js";

const KIND_TEXTS = { initialisation: "start", shortcut: "shortcut" }; // in texts.yaml
const NO_NOTE = " "; // holds the line of a note that may come

export function buildKnobs() {
  const { question } = page;
  const changeTo = (name, read = String) => (event) =>
    requestChange({ [name]: read(event.target.value) });
  const select = (name, options, listener) =>
    make("select", { "aria-label": word(name), onchange: listener }, ...options);
  const option = (value, text) => make("option", { value, text: String(text) });
  const references = catalogue.references.map((key) =>
    option(key, word(`reference.${key}`)));
  const seeds = catalogue.seeds.map((key) => option(key, key));
  page.knobs = {
    strip: makeStrip(),
    method: select("method", methodGroups(), changeTo("method")),
    reference: select("reference", references, changeTo("reference")),
    seed: select("seed", seeds, changeTo("seed", Number)),
  };
  const attentions = catalogue.attention.map((key) => [key, attentionTitle(key)]);
  const regimes = Object.entries(catalogue.regimes).sort((a, b) => a[0] - b[0]);
  const datasets = catalogue.datasets.map((key) => [key, word(`dataset.${key}`)]);
  const backbones = catalogue.backbones.map((key) => [key, key]);
  find(".mx-knobs").replaceChildren(
    makeRadios("dataset", datasets, question.dataset),
    makeKnob("image", page.knobs.strip, catalogue.uploads ? uploadButton() : null),
    makeRadios("backbone", backbones, question.backbone),
    makeRadios("attention", attentions, question.attention, NO_NOTE),
    makeRadios("regime", regimes, question.regime, word("regime_hint")),
    makeKnob("method", page.knobs.method, make("small", { class: "mx-method-hint" })),
    makeMore(question),
  );
}

function methodGroups() {
  return Object.entries(catalogue.methods).map(([group, names]) => {
    const options = names.map((name) => make("option", {
      value: name,
      text: word(`method.${name}`),
      title: word(`hint.${name}`),
    }));
    return make("optgroup", { label: word(`group.${group}`) }, ...options);
  });
}

function uploadButton() {
  const input = () => document.querySelector("#ma-upload input[type=file]")
    || document.querySelector("#ma-upload");
  return make("button", {
    type: "button",
    class: "mx-upload",
    "data-knob": "upload",
    text: `⤒ ${word("uploaded")}`,
    onclick: () => input().click(),
  });
}

function makeMore(question) {
  const { reference, seed } = page.knobs;
  const labelled = (name, knob) =>
    make("label", {}, make("span", { text: word(name) }), knob);
  return make(
    "details",
    { class: "mx-knob mx-more", "data-knob": "more" },
    make("summary", { text: word("more") }),
    labelled("reference", reference),
    catalogue.seeds.length > 1 ? labelled("seed", seed) : null,
    ...KINDS.map((name) => makeKindKnob(name, question)),
  );
}

function makeKnob(name, ...children) {
  const legend = make("legend", { text: word(name) });
  return make("fieldset", { class: "mx-knob", "data-knob": name }, legend, ...children);
}

function makeRadios(name, options, value, note) {
  const row = make("div", { class: "mx-segments" });
  for (const [key, text] of options) {
    const onchange = () => requestChange(fieldsOf(name, key));
    const input = make("input", { type: "radio", name: `mx-${name}`, value: key, onchange });
    input.checked = String(key) === String(value);
    row.append(make("label", {}, input, make("span", { text })));
  }
  const knob = makeKnob(name, row, note ? make("small", { text: note }) : null);
  knob.classList.add(`mx-knob-${name}`);
  return knob;
}

function fieldsOf(name, key) {
  if (KINDS.includes(name)) return changeOfKind(name, key);
  return { [name]: name === "regime" ? Number(key) : key };
}

// A kind of training that no network has is a sentence and no knob.
function makeKindKnob(name, question) {
  const texts = KIND_TEXTS[name];
  if (!describeShipped(name)) {
    const text = word(`none_${texts}`);
    const looks = `mx-knob mx-knob-${name}`;
    return make("small", { class: looks, "data-knob": name, text });
  }
  const keys = name === "shortcut" ? catalogue.shortcuts : catalogue.initialisations;
  const short = (key) => (name === "initialisation" && key !== "random" ? "_short" : "");
  const options = keys.map((key) => [key, word(`${texts}_${key}${short(key)}`)]);
  return makeRadios(name, options, question[name], NO_NOTE);
}

export function drawKnobs() {
  const { question, knobs } = page;
  for (const input of element.querySelectorAll(".mx-segments input")) {
    input.checked = input.value === String(question[input.name.slice(3)]);
  }
  const builtIn = question.backbone === "DeiT";
  const attention = find("[data-knob=attention]");
  attention.disabled = builtIn;
  find("small", attention).textContent = builtIn ? word("built_in") : NO_NOTE;
  knobs.method.value = question.method;
  knobs.reference.value = question.reference;
  knobs.reference.disabled = !question.method.startsWith("deep_lift");
  knobs.seed.value = question.seed;
  find(".mx-method-hint").textContent = word(`hint.${question.method}`);
  find(".mx-drawer").replaceChildren(
    make("span", { text: questionInWords(question) }),
    make("b", { text: word("show") }),
  );
  for (const name of catalogue.hideable) {
    find(".mx").classList.toggle(`mx-no-${name}`, question.hide.includes(name));
  }
  for (const name of KINDS) drawKindKnob(name);
  find("[data-knob=dataset]").hidden = catalogue.datasets.length < 2;
  drawStrip();
}

// What a closed drawer says of the question.
function questionInWords(question) {
  const { backbone, attention, initialisation, shortcut } = question;
  return [
    word(`dataset.${question.dataset}`),
    backbone,
    backbone === "DeiT" ? null : attentionTitle(attention),
    catalogue.regimes[String(Number(question.regime))],
    initialisation === "random" ? null : word(`start_${initialisation}_short`),
    shortcut === "none" ? null : word(`shortcut_${shortcut}`),
    methodTitle(),
  ].filter(Boolean).join(" · ");
}

function drawKindKnob(name) {
  const group = find(`[data-knob=${name}]`);
  const inputs = [...group.querySelectorAll("input")];
  if (!inputs.length) return;
  let some = false;
  for (const input of inputs) {
    const change = changeOfKind(name, input.value);
    const shipped = isShipped({ ...page.question, ...change });
    input.disabled = !shipped;
    if (shipped && input.value !== PLAIN[name]) some = true;
  }
  const texts = KIND_TEXTS[name];
  const missing = () => word(`no_${texts}`).replace("{there}", describeShipped(name));
  find("small", group).textContent = some ? word(`${texts}_hint`) : joinUnits(missing());
  if (!isPlain(page.question)) group.closest("details").open = true;
}
