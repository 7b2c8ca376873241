// The viewer: layers over one another in the large view and in every cell, all linked.
const SVG = "http://www.w3.org/2000/svg";
const tools = { opacity: 100, photo: false, evidence: true, gates: false, contour: false, minus: false, strength: 0 };
const zoom = { by: 1, x: 0.5, y: 0.5 };
const $ = (selector, root = element) => root.querySelector(selector);

function make(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

function layers(large) {
  // One pile: photograph, grey image, map, gates, contours, evidence, cross-hair.
  const svg = (name) => {
    const drawing = document.createElementNS(SVG, "svg");
    drawing.setAttribute("viewBox", `0 0 ${SIDE} ${SIDE}`);
    drawing.setAttribute("class", name);
    drawing.setAttribute("aria-hidden", "true");
    return drawing;
  };
  const pile = make("div", { class: "mx-pile" });
  const inner = make("div", { class: "mx-inner" },
    make("img", { class: "mx-grey", alt: "", draggable: "false" }),
    make("img", { class: "mx-photo", alt: "", draggable: "false" }),
    make("canvas", { class: "mx-gates", "aria-hidden": "true" }),
    make("canvas", { class: "mx-map", "aria-hidden": "true", "data-testid": large ? "stage-map" : null }),
    svg("mx-contour"), svg("mx-evidence"));
  pile.append(inner, make("i", { class: "mx-cross" }));
  return pile;
}

function dress(pile, picture) {
  // Puts an image under the map.
  if (!picture || pile.dataset.key === picture.key) return;
  pile.dataset.key = picture.key;
  $(".mx-grey", pile).src = picture.grey;
  $(".mx-photo", pile).src = picture.photo;
  const drawing = $(".mx-evidence", pile);
  drawing.replaceChildren();
  if (picture.evidence) {
    for (const kind of ["mx-halo", "mx-line"]) {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("d", border(picture.evidence));
      line.setAttribute("class", kind);
      drawing.append(line);
    }
  }
}

function fullAt() {
  // The relevance at which colours are full: the grid's, or less if the learner wants
  // weak maps stronger; the same for all maps, and printed.
  return page.scale.value / 2 ** tools.strength;
}

function show(pile, values, scale) {
  // Puts a map over an image; null takes it away.
  const canvas = $(".mx-map", pile), drawing = $(".mx-contour", pile);
  pile.values = values;
  drawing.replaceChildren();
  canvas.hidden = !values || tools.contour;
  if (!values) return;
  paint(canvas, values, scale);
  canvas.dataset.sum = values.reduce((sum, value) => sum + value, 0).toPrecision(6);
  if (!tools.contour) return;
  const smooth = smoothed(values);
  for (const [share, weight] of [[0.25, "thin"], [0.5, ""], [1, "thick"]])
    for (const sign of [1, -1]) {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("d", contour(smooth, sign * share * scale));
      line.setAttribute("class", `mx-${sign > 0 ? "for" : "against"} ${weight}`);
      drawing.append(line);
    }
}

function applyTools() {
  const root = $(".mx");
  root.style.setProperty("--mx-opacity", tools.opacity / 100);
  root.style.setProperty("--mx-zoom", zoom.by);
  root.style.setProperty("--mx-x", `${100 * zoom.x}%`);
  root.style.setProperty("--mx-y", `${100 * zoom.y}%`);
  root.classList.toggle("mx-show-photo", tools.photo);
  root.classList.toggle("mx-hide-evidence", !tools.evidence);
  root.classList.toggle("mx-show-gates", tools.gates);
  root.classList.toggle("mx-zoomed", zoom.by > 1);
}

function zoomTo(by, x = zoom.x, y = zoom.y) {
  zoom.by = Math.min(8, Math.max(1, by));
  zoom.x = zoom.by === 1 ? 0.5 : Math.min(1, Math.max(0, x));
  zoom.y = zoom.by === 1 ? 0.5 : Math.min(1, Math.max(0, y));
  applyTools();
}

function place(event, pile) {
  // Which pixel of the image lies under the pointer, whatever the zoom.
  const box = pile.getBoundingClientRect();
  const at = (value, origin) => origin + (value - origin) / zoom.by;
  return [at((event.clientX - box.left) / box.width, zoom.x),
    at((event.clientY - box.top) / box.height, zoom.y)];
}

function signed(value) {
  const text = Math.abs(value).toPrecision(2);
  return (value < 0 ? "−" : "+") + String(Number(text));
}

function point(x, y) {
  // Marks the same place in every picture, and says each map's number there.
  const inside = x >= 0 && x < 1 && y >= 0 && y < 1;
  const root = $(".mx");
  root.classList.toggle("mx-pointing", inside);
  const column = Math.floor(SIDE * x), row = Math.floor(SIDE * y);
  for (const pile of root.querySelectorAll(".mx-pile")) {
    const there = (at, origin) => `${100 * (origin + (at - origin) * zoom.by)}%`;
    const cross = $(".mx-cross", pile);
    cross.style.left = there((column + 0.5) / SIDE, zoom.x);
    cross.style.top = there((row + 0.5) / SIDE, zoom.y);
    const cell = pile.closest("[data-cell]");
    if (!cell) continue;
    const note = $(".mx-note", cell);
    note.textContent = inside && pile.values ? signed(pile.values[row * SIDE + column]) : note.dataset.text;
  }
  const values = $(".mx-stage .mx-pile")?.values;
  $(".mx-readout").textContent = inside && values
    ? `${word("pixel")} (${row}, ${column}): ${signed(values[row * SIDE + column])} ${page.scale?.unit || ""}` : "";
}

function pointable(pile) {
  let from = null;
  pile.addEventListener("pointermove", (event) => {
    if (from && zoom.by > 1) {
      const box = pile.getBoundingClientRect(), reach = zoom.by - 1;
      zoomTo(zoom.by, from.x - (event.clientX - from.left) / box.width / reach,
        from.y - (event.clientY - from.top) / box.height / reach);
      return;
    }
    point(...place(event, pile));
  });
  pile.addEventListener("pointerleave", () => { from = null; point(-1, -1); });
  pile.addEventListener("pointerdown", (event) => {
    if (pile.closest("[data-cell]")) return;
    from = { left: event.clientX, top: event.clientY, x: zoom.x, y: zoom.y };
  });
  pile.addEventListener("pointerup", () => { from = null; });
  pile.addEventListener("dblclick", (event) => {
    const [x, y] = place(event, pile);
    zoomTo(zoom.by > 1 ? 1 : 3, x, y);
  });
  pile.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const [x, y] = place(event, pile);
    zoomTo(zoom.by * (event.deltaY < 0 ? 1.25 : 0.8), zoom.by === 1 ? x : zoom.x, zoom.by === 1 ? y : zoom.y);
  }, { passive: false });
}

// Blink: the large view goes to and fro between two cells, once a second.
let blinking = null;
function blink(other) {
  clearInterval(blinking);
  blinking = null;
  const button = $(".mx-blink");
  button.setAttribute("aria-pressed", String(!!other));
  if (!other) { button.textContent = word("blink"); drawStage(); return; }
  let first = true;
  const turn = () => {
    first = !first;
    const id = first ? page.id : other;
    show($(".mx-stage .mx-pile"), mapOf(id), fullAt());
    button.textContent = `${word("blink_with")} ${page.cells.get(id)?.title || id}`;
  };
  turn();
  blinking = setInterval(turn, 1000);
}
