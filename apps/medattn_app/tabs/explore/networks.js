// Which network a question means, and which networks are shipped.

import { catalogue, page, word } from "./state.js";

// How a network was trained: its initial weights, and a planted shortcut.
export const KINDS = ["initialisation", "shortcut"];
export const PLAIN = { initialisation: "random", shortcut: "none" };

export function isPlain(question) {
  return KINDS.every((name) => question[name] === PLAIN[name]);
}

export function networkId(question) {
  const attention = question.backbone === "DeiT" ? "self" : question.attention;
  const id = `${question.backbone}|${attention}|${Number(question.regime)}`;
  if (isPlain(question)) return id;
  return `${id}|${question.initialisation}|${question.shortcut}`;
}

export function readId(id) {
  const [backbone, attention, regime, initialisation, shortcut] = id.split("|");
  return { backbone, attention, regime, initialisation, shortcut };
}

export function idInWords(id) {
  return id.replace(/none|self|random|shapes/g, (part) => word(`id_${part}`));
}

export function isShipped(question) {
  const varied = catalogue.varied[question.dataset] || [];
  return isPlain(question) || varied.includes(networkId(question));
}

// What no study trained falls back to the plain network, and says so.
export function fallBackToPlain(question) {
  if (isShipped(question)) return null;
  Object.assign(question, PLAIN);
  return word("back_to_plain");
}

// The two kinds were varied in different studies: one gives way to the other.
export function changeOfKind(name, key) {
  const alone = { [name]: key };
  return isShipped({ ...page.question, ...alone }) ? alone : { ...PLAIN, ...alone };
}

// Says where networks differ from the plain ones by this kind, such as
// "Eye: ResNet (none, SE, CBAM), 100 %".
export function describeShipped(name) {
  const datasets = new Map();
  for (const [dataset, ids] of Object.entries(catalogue.varied)) {
    const networks = ids.map(readId).filter((one) => one[name] !== PLAIN[name]);
    if (!networks.length) continue;
    const text = describeNetworks(networks);
    datasets.set(text, [...(datasets.get(text) || []), word(`dataset.${dataset}`)]);
  }
  return [...datasets].map(([text, names]) => `${names.join(", ")}: ${text}`).join("; ");
}

function describeNetworks(networks) {
  const blocks = new Map();
  for (const { backbone, attention } of networks) {
    blocks.set(backbone, (blocks.get(backbone) || new Set()).add(attention));
  }
  const regimes = [...new Set(networks.map(({ regime }) => Number(regime)))]
    .sort((a, b) => a - b)
    .map((regime) => catalogue.regimes[String(regime)]);
  const titles = [...blocks].map(([backbone, some]) => `${backbone} (${list(some)})`);
  return `${titles.join(", ")}, ${regimes.join(" / ")}`;
}

function list(blocks) {
  return catalogue.attention
    .filter((key) => blocks.has(key))
    .map(attentionTitle)
    .join(", ");
}

export function attentionTitle(key) {
  return key === "none" ? word("none") : key;
}

// The cell to blink with: the same network without its attention, or its control.
export function counterpart(id) {
  const { backbone, attention, regime, initialisation } = readId(id);
  const others = [...page.cells.keys()].filter((other) => other !== id);
  const plain = `${backbone}|${attention}|${regime}`;
  const wanted = initialisation
    ? [`${plain}|random|0`, plain]
    : [`${backbone}|none|${regime}`];
  return others.find((other) => wanted.includes(other))
    || others.find((other) => other.startsWith(`${backbone}|${attention}|`))
    || others[0];
}
