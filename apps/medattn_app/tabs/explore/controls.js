// Explore's controls: what the learner changes, and what is changed without the server.
function METHOD_TITLE() {
  return word(`method.${page.question.method}`);
}

function radios(name, title, options, value, note) {
  const group = make("fieldset", { class: `mx-knob mx-knob-${name}`, "data-knob": name }, make("legend", { text: title }));
  const row = make("div", { class: "mx-segments" });
  for (const [key, text] of options) {
    const input = make("input", { type: "radio", name: `mx-${name}`, value: key,
      onchange: () => change(KINDS.includes(name) ? wanting(name, key) : { [name]: name === "regime" ? Number(key) : key }) });
    input.checked = String(key) === String(value);
    row.append(make("label", {}, input, make("span", { text })));
  }
  group.append(row);
  if (note) group.append(make("small", { text: note }));
  return group;
}

function buildKnobs() {
  const q = page.question, knobs = $(".mx-knobs");
  const strip = make("div", { class: "mx-strip", role: "group", "aria-label": word("image") });
  const method = make("select", { "aria-label": word("method"), onchange: (event) => change({ method: event.target.value }) });
  for (const [group, methods] of Object.entries(catalogue.methods))
    method.append(make("optgroup", { label: word(`group.${group}`) }, ...methods.map((name) => make("option", { value: name, text: word(`method.${name}`), title: word(`hint.${name}`) }))));
  const reference = make("select", { "aria-label": word("reference"), onchange: (event) => change({ reference: event.target.value }) },
    ...catalogue.references.map((key) => make("option", { value: key, text: word(`reference.${key}`) })));
  const seed = make("select", { "aria-label": word("seed"), onchange: (event) => change({ seed: Number(event.target.value) }) },
    ...catalogue.seeds.map((key) => make("option", { value: key, text: String(key) })));
  knobs.replaceChildren(
    radios("dataset", word("dataset"), catalogue.datasets.map((key) => [key, word(`dataset.${key}`)]), q.dataset),
    make("fieldset", { class: "mx-knob", "data-knob": "image" }, make("legend", { text: word("image") }), strip,
      catalogue.uploads ? make("button", { type: "button", class: "mx-own-image", "data-knob": "upload", text: `⤒ ${word("own")}`,
        onclick: () => (document.querySelector("#ma-upload input[type=file]") || document.querySelector("#ma-upload")).click() }) : null),
    radios("backbone", word("backbone"), catalogue.backbones.map((key) => [key, key]), q.backbone),
    radios("attention", word("attention"), catalogue.attention.map((key) => [key, key === "none" ? word("none") : key]), q.attention, " "),
    radios("regime", word("regime"), Object.entries(catalogue.regimes).sort((a, b) => a[0] - b[0]), q.regime, word("regime_hint")),
    make("fieldset", { class: "mx-knob", "data-knob": "method" }, make("legend", { text: word("method") }), method, make("small", { class: "mx-method-hint" })),
    make("details", { class: "mx-knob mx-more", "data-knob": "more" }, make("summary", { text: word("more") }),
      make("label", {}, make("span", { text: word("reference") }), reference),
      catalogue.seeds.length > 1 ? make("label", {}, make("span", { text: word("seed") }), seed) : null,
      ...KINDS.map((name) => kindKnob(name, q))));
  page.knobs = { strip, method, reference, seed };
  const tool = (name, text) => {
    const input = make("input", { type: "checkbox", "data-tool": name });
    input.checked = tools[name];
    return make("label", { "data-for": name }, input, text);
  };
  const button = (text, title, does) => make("button", { type: "button", text, "aria-label": title, title, onclick: does });
  $(".mx-tools").replaceChildren(
    make("label", {}, word("opacity"), make("input", { type: "range", min: 0, max: 100, value: tools.opacity, "data-tool": "opacity", "aria-label": word("opacity") })),
    make("label", {}, word("strength"), make("input", { type: "range", min: 0, max: 5, step: 0.5, value: tools.strength, "data-tool": "strength", "aria-label": word("strength") })),
    tool("evidence", word("outline")), tool("photo", word("photo")), tool("contour", word("contour")), tool("gates", word("gate")),
    make("button", { type: "button", class: "mx-blink", "aria-pressed": "false", text: word("blink"),
      onclick: () => blink(blinking ? null : page.previous && page.cells.has(page.previous) ? page.previous : blinkPartner()) }));
  $(".mx-zoom").replaceChildren(button("−", word("farther"), () => zoomTo(zoom.by / 1.5)),
    button("+", word("closer"), () => zoomTo(zoom.by * 1.5)), button("⤢", word("whole"), () => zoomTo(1)));
  $(".mx-python summary").textContent = word("python");
  const link = $(".mx-link");
  link.textContent = word("copy_link");
  link.onclick = async () => {
    await navigator.clipboard?.writeText(location.href);
    link.textContent = word("copied");
    setTimeout(() => { link.textContent = word("copy_link"); }, 1500);
  };
}

function blinkPartner() {
  const [backbone, attention, regime, ...kind] = page.id.split("|");
  const options = [...page.cells.keys()].filter((id) => id !== page.id), same = `${backbone}|${attention}|${regime}`;
  const partners = kind.length ? [`${same}|random|0`, same] : [`${backbone}|none|${regime}`];
  return options.find((id) => partners.includes(id)) || options.find((id) => id.startsWith(`${backbone}|${attention}|`)) || options[0];
}

function drawKnobs() {
  const q = page.question;
  for (const input of element.querySelectorAll(".mx-segments input"))
    input.checked = input.value === String(q[input.name.slice(3)]);
  const own = q.backbone === "DeiT";
  const attention = $("[data-knob=attention]");
  attention.disabled = own;
  $("small", attention).textContent = own ? word("built_in") : " ";
  page.knobs.method.value = q.method;
  page.knobs.reference.value = q.reference;
  page.knobs.reference.disabled = !q.method.startsWith("deep_lift");
  page.knobs.seed.value = q.seed;
  $(".mx-method-hint").textContent = word(`hint.${q.method}`);
  const drawer = $(".mx-drawer");
  drawer.replaceChildren(make("span", { text: [word(`dataset.${q.dataset}`), q.backbone, own ? null : q.attention === "none" ? word("none") : q.attention,
    catalogue.regimes[String(Number(q.regime))], q.initialisation === "random" ? null : word(`start_${q.initialisation}_short`),
    q.shortcut === "none" ? null : word(`shortcut_${q.shortcut}`), METHOD_TITLE()].filter(Boolean).join(" · ") }), make("b", { text: word("show") }));
  for (const name of ["dataset", "image", "backbone", "attention", "regime", "method", "more", ...KINDS, "upload", "truth", "grid", "sentence", "python"])
    $(".mx").classList.toggle(`mx-no-${name}`, q.hide.includes(name));
  for (const name of KINDS) drawKind(name);
  $("[data-knob=dataset]").hidden = catalogue.datasets.length < 2;
  drawStrip();
}

async function drawStrip() {
  const { dataset } = page.question, strip = page.knobs.strip;
  if (strip.dataset.of !== dataset) {
    strip.dataset.of = dataset;
    const count = catalogue.images[dataset];
    strip.replaceChildren(...Array.from({ length: count }, (_, at) => make("button", { type: "button", "data-testid": `image-${at}`,
      onclick: () => { page.own = null; page.question = { ...page.question, image: -1 }; change({ image: at }); } })));
    if (!page.strips.has(dataset)) page.strips.set(dataset, server.strip({ dataset, lang: page.question.lang }));
    try {
      const { images } = await page.strips.get(dataset);
      if (strip.dataset.of === dataset) images.forEach((image, at) => {
        strip.children[at].setAttribute("aria-label", image.name);
        strip.children[at].replaceChildren(make("img", { src: image.picture, alt: "" }));
      });
    } catch { page.strips.delete(dataset); strip.dataset.of = ""; }
  }
  [...strip.children].forEach((button, at) => button.setAttribute("aria-pressed", String(!page.own && at === page.question.image)));
}

async function drawGates() {
  const canvas = $(".mx-stage .mx-gates"), label = $("[data-for=gates]");
  if (!tools.gates || page.gates === page.id) return;
  const asked = page.id;
  const reply = await call("gates");
  if (asked !== page.id) return;
  page.gates = page.id;
  label.title = reply.refused || "";
  canvas.hidden = !reply.map;
  if (reply.map) veil(canvas, unpack(reply.map));
  else fail(reply.refused);
}

// Events

element.addEventListener("input", (event) => {
  const name = event.target.dataset?.tool;
  if (!name) return;
  tools[name] = event.target.type === "checkbox" ? event.target.checked : Number(event.target.value);
  applyTools();
  if (["contour", "minus", "strength"].includes(name)) { drawStage(); drawGrid(); }
  if (name === "gates") { fail(null); drawGates().catch((error) => fail(error.message)); }
});

function begin() {
  const stage = $(".mx-stage"), pile = layers(true);
  stage.append(pile);
  pointable(pile);
  stage.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
    if (event.key === "+" || event.key === "=") zoomTo(zoom.by * 1.5);
    else if (event.key === "-") zoomTo(zoom.by / 1.5);
    else if (event.key === "0") zoomTo(1);
    else if (moves[event.key] && zoom.by > 1) zoomTo(zoom.by, zoom.x + moves[event.key][0], zoom.y + moves[event.key][1]);
    else return;
    event.preventDefault();
  });
  $(".mx-drawer").addEventListener("click", () => {
    const open = $(".mx-change").classList.toggle("mx-open");
    $(".mx-drawer").setAttribute("aria-expanded", String(open));
  });
}

function hideTabs(names) {
  // Their buttons stand in the row of tabs, and again in the menu of those without room.
  const tabs = ["explore", "inside", "predict", "doubt", "evidence", "lessons", "own"];
  const titles = new Map(tabs.map((name) => [name, document.getElementById(`ma-tab-${name}-button`)?.textContent.trim()]));
  for (const button of document.querySelectorAll("#ma-tabs > .tab-wrapper button")) {
    const name = tabs.find((one) => titles.get(one) && titles.get(one) === button.textContent.trim());
    if (name) button.style.display = names.includes(name) ? "none" : "";
  }
}

function open(text) {
  if (!text) return;
  const given = JSON.parse(text);
  page.question = { ...catalogue.first, ...given.question };
  if (!catalogue.texts[page.question.lang]) page.question.lang = catalogue.first.lang;
  if (!catalogue.datasets.includes(page.question.dataset)) page.question.dataset = catalogue.first.dataset;
  const unknown = settle(page.question);
  document.documentElement.lang = page.question.lang;
  buildKnobs();
  drawKnobs();
  applyTools();
  hideTabs(page.question.hide);
  page.notice = [...given.refused, unknown].filter(Boolean).join(" ") || null;
  ask();
}

watch("opened", () => open(props.opened));
watch("own", () => {
  if (!props.own) return;
  page.own = props.own;
  page.previous = null;
  drawKnobs();
  ask();
});
begin();
open(props.opened);
