// Explore's two knobs of how a network was trained: starting weights, and a planted shortcut.
const KINDS = ["initialisation", "shortcut"];
const PLAIN = { initialisation: "random", shortcut: "none" };
const KIND_TEXTS = { initialisation: "start", shortcut: "shortcut" };

function isPlain(question) {
  return KINDS.every((name) => question[name] === PLAIN[name]);
}

function isThere(question) {
  return isPlain(question) || (catalogue.varied[question.dataset] || []).includes(currentId(question));
}

function settle(question) {
  // What no study trained falls back to the plain network, and says so.
  if (isThere(question)) return null;
  Object.assign(question, PLAIN);
  return word("back_to_plain");
}

function wanting(name, key) {
  // The two knobs were varied in different studies: one gives way to the other.
  const alone = { [name]: key };
  return isThere({ ...page.question, ...alone }) ? alone : { ...PLAIN, ...alone };
}

function whereThere(name) {
  // Says where networks differ from the plain ones by this knob: "Eye: ResNet (none, SE, CBAM), 100 %".
  const sets = new Map();
  for (const [dataset, ids] of Object.entries(catalogue.varied)) {
    const blocks = new Map(), regimes = new Set();
    for (const id of ids) {
      const [backbone, attention, regime, initialisation, shortcut] = id.split("|");
      if ({ initialisation, shortcut }[name] === PLAIN[name]) continue;
      blocks.set(backbone, (blocks.get(backbone) || new Set()).add(attention));
      regimes.add(Number(regime));
    }
    if (!regimes.size) continue;
    const listed = (some) => catalogue.attention.filter((key) => some.has(key)).map((key) => (key === "none" ? word("none") : key)).join(", ");
    const text = [...blocks].map(([backbone, some]) => `${backbone} (${listed(some)})`).join(", ")
      + `, ${[...regimes].sort((a, b) => a - b).map((regime) => catalogue.regimes[String(regime)]).join(" / ")}`;
    sets.set(text, [...(sets.get(text) || []), word(`dataset.${dataset}`)]);
  }
  return [...sets].map(([text, names]) => `${names.join(", ")}: ${text}`).join("; ");
}

function kindKnob(name, question) {
  if (!whereThere(name))
    return make("small", { class: `mx-knob mx-knob-${name}`, "data-knob": name, text: word(`none_${KIND_TEXTS[name]}`) });
  const keys = name === "shortcut" ? catalogue.shortcuts : catalogue.initialisations;
  const text = (key) => word(`${KIND_TEXTS[name]}_${key}${name === "initialisation" && key !== "random" ? "_short" : ""}`);
  return radios(name, word(name), keys.map((key) => [key, text(key)]), question[name], " ");
}

function drawKind(name) {
  const group = $(`[data-knob=${name}]`);
  const inputs = [...group.querySelectorAll("input")];
  if (!inputs.length) return;
  let some = false;
  for (const input of inputs) {
    const there = isThere({ ...page.question, ...wanting(name, input.value) });
    input.disabled = !there;
    if (there && input.value !== PLAIN[name]) some = true;
  }
  const what = KIND_TEXTS[name];
  $("small", group).textContent = some ? word(`${what}_hint`) : whole(word(`no_${what}`).replace("{there}", whereThere(name)));
  if (!isPlain(page.question)) group.closest("details").open = true;
}
