// Explore: the question on the page, the server's answers to it, and what is drawn of them.
const catalogue = JSON.parse(props.catalogue);
const page = { question: catalogue.first, own: null, id: null, previous: null, group: null,
  cells: new Map(), maps: new Map(), grid: null, scale: null, picture: null, strips: new Map(),
  pictures: new Map(), busy: false, again: false, asked: 0, reply: null, notice: null };

function word(key) {
  const texts = catalogue.texts[page.question.lang] || catalogue.texts.en;
  return texts[key] ?? key;
}

function mapOf(id) {
  const cell = page.cells.get(id);
  if (!cell?.map) return null;
  if (!page.maps.has(id)) page.maps.set(id, unpack(cell.map));
  return page.maps.get(id);
}

function currentId(question = page.question) {
  const own = question.backbone === "DeiT" ? "self" : question.attention;
  const id = `${question.backbone}|${own}|${Number(question.regime)}`;
  return isPlain(question) ? id : `${id}|${question.initialisation}|${question.shortcut}`;
}

function spoken(id) {
  return id.replace(/none|self|random|shapes/g, (part) => word(`id_${part}`));
}

async function call(name, extra = {}) {
  const sent = { question: page.question, own: page.own, previous: page.previous, ...extra };
  const reply = await server[name](sent);
  if (!reply || reply.error) throw new Error(reply?.error || word("failed"));
  return reply;
}

// Asking

function change(some, { step = false } = {}) {
  const before = currentId();
  const moved = Object.assign({}, page.question, some), notice = settle(moved);
  const image = moved.dataset !== page.question.dataset || moved.image !== page.question.image;
  if (image && !("own" in some)) page.own = null;
  page.question = moved;
  page.notice = notice;
  if (image) page.previous = null;
  else if (currentId() !== before) page.previous = before;
  blinking && blink(null);
  drawKnobs();
  // A cell that the grid holds already is shown before the server is asked.
  if (step && page.cells.has(currentId())) { page.id = currentId(); drawStage(); drawGrid(); }
  ask();
}

async function ask() {
  page.asked += 1;
  if (page.busy) { page.again = true; return; }
  page.busy = true;
  const mine = page.asked;
  const late = setTimeout(() => wait(true), 200);
  try {
    const [picture, reply] = await Promise.all([fetchPicture(),
      call("answer", { group: page.group, have: [...page.cells.keys()] })]);
    clearTimeout(late);
    if (mine === page.asked) {
      page.picture = picture;
      accept(reply);
      page.id = reply.id;
      page.reply = reply;
      page.cells.set(reply.id, reply.cell);
      page.maps.delete(reply.id);
      fail(page.notice);
      drawAll();
      remember(reply);
      await fill(mine);
    }
  } catch (error) {
    if (mine === page.asked) fail(error.message || word("failed"));
  } finally {
    clearTimeout(late);
    wait(false);
    page.busy = false;
    if (page.again) { page.again = false; ask(); }
  }
}

async function fill(mine) {
  while (page.reply.missing.length && mine === page.asked) {
    const more = await call("fill", { group: page.group, have: [...page.cells.keys()] });
    if (mine !== page.asked) return;
    page.reply.missing = more.missing;
    accept(more);
    drawStage();
    drawGrid();
  }
  if (mine !== page.asked) return;
  const said = await call("conclude");
  if (mine !== page.asked) return;
  drawStudy(said.study);
  if (said.caution) $(".mx-caution").textContent = said.caution;
}

function accept(reply) {
  if (reply.group !== page.group) { page.cells.clear(); page.maps.clear(); page.gates = null; }
  page.group = reply.group;
  page.grid = reply.grid;
  page.scale = reply.scale;
  for (const [id, cell] of Object.entries(reply.cells)) { page.cells.set(id, cell); page.maps.delete(id); }
}

async function fetchPicture() {
  const { dataset, image, lang } = page.question;
  const key = `${dataset} ${image} ${page.own} ${lang}`;
  if (!page.pictures.has(key)) page.pictures.set(key, await call("picture"));
  return page.pictures.get(key);
}

function remember(reply) {
  // The link of the page is the question; what others put into it stays.
  const link = new URLSearchParams(location.search);
  for (const name of Object.keys(catalogue.first)) link.delete(name);
  if (!page.own) new URLSearchParams(reply.query).forEach((value, name) => name !== "lang" && link.set(name, value));
  const text = link.toString();
  history.replaceState(history.state, "", location.pathname + (text ? `?${text}` : ""));
  trigger("change", { question: reply.question });
}

function wait(on) {
  element.classList.toggle("mx-waiting", on);
  const stage = $(".mx-stage");
  if (!stage) return;
  const first = !page.reply;
  stage.dataset.wait = on ? `${word("computing")}: ${spoken(currentId()).replaceAll("|", ", ")}${first ? " · " + word("first_time") : ""}` : "";
}

function fail(message) {
  const box = $(".mx-failed") || $(".mx-main").insertBefore(make("p", { class: "mx-failed", role: "alert", "data-testid": "failed" }), $(".mx-frame"));
  box.textContent = message || "";
  box.hidden = !message;
}

// Drawing

function drawAll() {
  const reply = page.reply;
  drawStage();
  drawGrid();
  $(".mx-sentence h2").textContent = word("what_changed");
  $("[data-testid=sentence]").textContent = whole(reply.change);
  $("[data-testid=study]").replaceChildren();
  $("[data-testid=python]").textContent = reply.python;
  const caution = $(".mx-caution");
  caution.hidden = !reply.caution;
  caution.textContent = reply.caution || "";
}

function drawStage() {
  const cell = page.cells.get(page.id);
  if (!cell || !page.picture) return;
  const stage = $(".mx-stage"), pile = $(".mx-pile", stage);
  dress(pile, page.picture);
  show(pile, mapOf(page.id), fullAt());
  stage.setAttribute("role", "img");
  stage.setAttribute("aria-label", cell.alt);
  $(".mx-p-label").textContent = `P(${page.reply?.positive || ""})`;
  $("[data-testid=chance]").textContent = cell.chance;
  const bar = $(".mx-bar");
  bar.style.setProperty("--p", cell.p);
  bar.classList.toggle("mx-spreads", !!cell.seeds);
  if (cell.seeds) { bar.style.setProperty("--low", cell.seeds.low); bar.style.setProperty("--high", cell.seeds.high); }
  $(".mx-spread").textContent = cell.seeds ? cell.seeds.text : word("one_seed");
  $(".mx-truth span").textContent = `${word("truth")}:`;
  const truth = $("[data-testid=truth]");
  truth.textContent = page.picture.truth;
  const right = page.picture.known && (cell.p >= 0.5) === (page.picture.label === 1);
  truth.dataset.right = page.picture.known ? String(right) : "";
  const [low, high] = element.querySelectorAll(".mx-scale > span");
  const full = String(Number(fullAt().toPrecision(2)));
  low.textContent = `−${full}`;
  high.textContent = `+${full}`;
  $(".mx-scale small").textContent = `${word("against")} · 0 · ${word("for")}, ${page.scale.unit}; ${word("one_scale")}${tools.strength ? ` ÷ ${2 ** tools.strength < 10 ? (2 ** tools.strength).toPrecision(2) : Math.round(2 ** tools.strength)}` : ""}`;
  $(".mx-scale").hidden = !cell.map;
  const ledger = $(".mx-ledger");
  ledger.replaceChildren(make("span", { text: word("ledger") }), " ",
    make("b", { "data-testid": "audit", text: cell.ledger ? `${cell.ledger}${cell.adds ? " ✓" : ""}` : cell.refused || word("no_ledger") }));
  drawShare(cell);
  applyTools();
}

function drawShare(cell) {
  const box = $(".mx-share"), known = page.reply?.baselines;
  if (!known || cell.mass == null) {
    box.replaceChildren(page.picture.known && !page.picture.evidence ? make("small", { text: word("no_evidence") }) : "");
    return;
  }
  const row = (title, text, share, kind) => make("div", { class: `mx-meter ${kind}` },
    make("span", { text: title }), make("i", { style: `--share:${share}` }), make("b", { text }));
  box.replaceChildren(make("h3", { text: word("inside_evidence") }),
    row(METHOD_TITLE(), cell.mass, cell.share, "mx-own"),
    row(word("edges"), known.edges, known.edges_share, ""), row(word("random"), known.random, known.random_share, ""));
}

function drawGrid() {
  const box = $(".mx-grid"), focused = document.activeElement?.dataset?.cell;
  if (!page.grid || !page.picture) return;
  const key = JSON.stringify([page.grid, page.question.lang]);
  if (box.dataset.key !== key) { box.dataset.key = key; buildGrid(box); }
  for (const button of box.querySelectorAll("[data-cell]")) {
    const id = button.dataset.cell, cell = page.cells.get(id), pile = $(".mx-pile", button);
    const chosen = id === page.id;
    button.setAttribute("aria-pressed", String(chosen));
    button.tabIndex = chosen ? 0 : -1;
    dress(pile, page.picture);
    let values = mapOf(id);
    if (tools.minus && values && !chosen && mapOf(page.id)) {
      const own = mapOf(page.id);
      values = values.map((value, at) => value - own[at]);
    }
    show(pile, values, fullAt());
    button.classList.toggle("mx-missing", !cell);
    $(".mx-cell-p", button).textContent = cell ? cell.chance : "…";
    const note = $(".mx-note", button);
    note.dataset.text = cell ? (cell.refused ? "—" : cell.mass ? `${cell.mass}` : "") : "";
    note.textContent = note.dataset.text;
    button.setAttribute("aria-label", cell ? `${cell.title}: ${cell.alt}` : `${word("computing")} ${spoken(id)}`);
    button.title = cell ? `${cell.title} · ${word("test_auroc")} ${cell.auroc}${cell.refused ? " · " + cell.refused : ""}` : "";
  }
  if (focused) $(`[data-cell="${focused}"]`, box)?.focus({ preventScroll: true });
}

function buildGrid(box) {
  const { columns, rows } = page.grid;
  const table = make("div", { class: "mx-cells", role: "group", "aria-label": page.grid.title, style: `--columns:${columns.length}` });
  table.append(make("span"), ...columns.map((title) => make("span", { class: "mx-head", text: title })));
  for (const row of rows) {
    table.append(make("span", { class: "mx-row", text: row.title }));
    for (const id of row.cells) {
      if (!id) { table.append(make("span")); continue; }
      const pile = layers(false);
      pointable(pile);
      table.append(make("button", { type: "button", class: "mx-cell", "data-cell": id, "data-testid": `cell-${id}`,
        onclick: () => stepInto(id) }, pile,
        make("span", { class: "mx-cell-text" }, make("b", { class: "mx-cell-p" }), make("small", { class: "mx-note" }))));
    }
  }
  table.addEventListener("keydown", stepByKey);
  const minus = make("label", { class: "mx-minus" }, make("input", { type: "checkbox", "data-tool": "minus" }), word("minus"));
  $("input", minus).checked = tools.minus;
  box.replaceChildren(make("div", { class: "mx-grid-head" }, make("h3", { "data-testid": "grid-title", text: page.grid.title }), minus), table,
    make("small", { class: "mx-hint", text: word("step") }));
}

function whole(text) {
  // A number and its unit stay on one line.
  return text.replace(/(\d) %/g, "$1\u00a0%").replace(/([<>]) \./g, "$1\u00a0.");
}

function drawStudy(study) {
  $("[data-testid=study]").replaceChildren(...study.map((one) =>
    make("p", { text: whole(one.text), "data-verdict": one.verdict })));
}

function stepInto(id) {
  const [backbone, attention, regime, initialisation = "random", shortcut = "none"] = id.split("|");
  const some = { backbone, regime: Number(regime), initialisation, shortcut };
  if (attention !== "self") some.attention = attention;
  change(some, { step: true });
}

function stepByKey(event) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const step = steps[event.key];
  if (!step) return;
  event.preventDefault();
  const rows = page.grid.rows.map((row) => row.cells);
  const at = rows.findIndex((row) => row.includes(page.id));
  const next = rows[at + step[0]]?.[rows[at].indexOf(page.id) + step[1]];
  if (!next) return;
  $(`[data-cell="${next}"]`).focus();
  stepInto(next);
}
