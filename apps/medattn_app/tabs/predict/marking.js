// The learner's region: 64 x 64 bits, drawn by pointer or by keyboard, sent once.
const SIDE = 64;
let bits = new Uint8Array(SIDE * SIDE);
let spot = { x: 32, y: 32 };
let drawing = false;

const find = (query) => element.querySelector(query);
const board = () => find("canvas");
const radius = () => (find("[data-tool=broad]")?.checked ? 5 : 2);

function paint() {
  const canvas = board();
  if (!canvas) return;
  const pen = canvas.getContext("2d");
  const picture = pen.createImageData(SIDE, SIDE);
  bits.forEach((bit, at) => picture.data.set([86, 180, 233, bit ? 150 : 0], 4 * at));
  pen.putImageData(picture, 0, 0);
  const brush = find(".ma-brush");
  const wide = (100 * (2 * radius() + 1)) / SIDE;
  brush.style.cssText = `left:${(100 * (spot.x + 0.5)) / SIDE}%;` +
    `top:${(100 * (spot.y + 0.5)) / SIDE}%;width:${wide}%;height:${wide}%`;
  const said = find("[data-say=status]");
  const share = bits.reduce((sum, bit) => sum + bit, 0) / bits.length;
  said.textContent = said.dataset.text
    .replace("{row}", spot.y + 1)
    .replace("{column}", spot.x + 1)
    .replace("{share}", `${(100 * share).toFixed(1)}%`);
}

function mark(value) {
  const reach = radius();
  for (let y = -reach; y <= reach; y += 1) {
    for (let x = -reach; x <= reach; x += 1) {
      const [across, down] = [spot.x + x, spot.y + y];
      const inside = Math.min(across, down) >= 0 && Math.max(across, down) < SIDE;
      if (inside && x * x + y * y <= reach * reach + 1) bits[down * SIDE + across] = value;
    }
  }
  paint();
}

const pen = () => (find("[name=ma-pen]:checked")?.value === "rub" ? 0 : 1);

function go(event) {
  const box = board().getBoundingClientRect();
  const at = (value, from, size) =>
    Math.max(0, Math.min(SIDE - 1, Math.floor((SIDE * (value - from)) / size)));
  const to = { x: at(event.clientX, box.left, box.width),
    y: at(event.clientY, box.top, box.height) };
  const steps = Math.max(1, Math.abs(to.x - spot.x), Math.abs(to.y - spot.y));
  const from = event.type === "pointerdown" ? to : { ...spot };
  for (let step = 1; step <= steps; step += 1) {
    spot = { x: Math.round(from.x + ((to.x - from.x) * step) / steps),
      y: Math.round(from.y + ((to.y - from.y) * step) / steps) };
    mark(pen());
  }
}

element.addEventListener("pointerdown", (event) => {
  if (event.target !== board()) return;
  drawing = true;
  event.target.setPointerCapture(event.pointerId);
  go(event);
});
element.addEventListener("pointermove", (event) => {
  if (drawing && event.target === board()) go(event);
});
["pointerup", "pointercancel"].forEach((name) =>
  element.addEventListener(name, () => { drawing = false; }));

element.addEventListener("keydown", (event) => {
  if (event.target !== board()) return;
  const step = event.shiftKey ? 8 : 1;
  const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1],
    ArrowDown: [0, 1] }[event.key] || [0, 0];
  const draws = { " ": 1, Enter: 1, Delete: 0, Backspace: 0 }[event.key];
  if (!x && !y && draws === undefined) return;
  event.preventDefault();
  find(".ma-brush").hidden = false;
  spot = { x: Math.max(0, Math.min(SIDE - 1, spot.x + x * step)),
    y: Math.max(0, Math.min(SIDE - 1, spot.y + y * step)) };
  if (draws === undefined) paint();
  else mark(draws);
});

function hex() {
  let text = "";
  for (let at = 0; at < bits.length; at += 4) {
    const [a, b, c, d] = bits.subarray(at, at + 4);
    text += (8 * a + 4 * b + 2 * c + d).toString(16);
  }
  return text;
}

element.addEventListener("click", (event) => {
  const action = event.target.closest("[data-do]")?.dataset.do;
  if (action === "clear") { bits.fill(0); paint(); }
  if (action === "next") trigger("select", { next: true });
  if (action !== "reveal") return;
  const label = find("[name=ma-label]:checked");
  find(".ma-missing").hidden = Boolean(label);
  if (!label) { find("[name=ma-label]").focus(); return; }
  const sure = Number(find("[data-tool=sure]").value);
  trigger("submit", { label: Number(label.value), sure, region: hex() });
});

element.addEventListener("input", (event) => {
  if (event.target.dataset.tool === "sure") {
    find("[data-say=sure]").textContent = `${event.target.value}%`;
  }
  if (event.target.dataset.tool === "broad") paint();
  const layer = event.target.dataset.layer;
  if (layer) {
    find(".ma-play").classList.toggle(`ma-hide-${layer}`, !event.target.checked);
  }
});

function begin() {
  if (!board()) return;
  bits = new Uint8Array(SIDE * SIDE);
  spot = { x: 32, y: 32 };
  paint();
}
watch("value", begin);
begin();
