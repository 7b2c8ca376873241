// The learner's region: 64 x 64 bits, drawn with a round brush on a canvas.

import { readColour } from "../common/colours.js";
import { find } from "../common/dom.js";

const SIDE = 64; // pixels of an image, as the networks see it
const OPACITY = 150; // of the region over the image, to 255
const region = { bits: new Uint8Array(SIDE * SIDE), x: SIDE / 2, y: SIDE / 2 };

export function findBoard() {
  return find("canvas");
}

export function clearRegion() {
  region.bits.fill(0);
  paintRegion();
}

// Begins with an empty region and the brush in the middle.
export function resetRegion() {
  region.bits = new Uint8Array(SIDE * SIDE);
  moveBrush(SIDE / 2, SIDE / 2);
  paintRegion();
}

function moveBrush(x, y) {
  const inside = (value) => Math.max(0, Math.min(SIDE - 1, value));
  region.x = inside(x);
  region.y = inside(y);
}

export function moveBrushBy(x, y) {
  moveBrush(region.x + x, region.y + y);
}

// Draws (1) or erases (0) what lies under the brush.
export function mark(value) {
  const reach = radius();
  for (let y = -reach; y <= reach; y += 1) {
    for (let x = -reach; x <= reach; x += 1) {
      const [column, row] = [region.x + x, region.y + y];
      const inside = Math.min(column, row) >= 0 && Math.max(column, row) < SIDE;
      if (inside && x * x + y * y <= reach * reach + 1) {
        region.bits[row * SIDE + column] = value;
      }
    }
  }
  paintRegion();
}

// Marks every pixel from where the brush is to where the pointer is.
export function markTowards(event, value) {
  const box = findBoard().getBoundingClientRect();
  const pixel = (at, from, size) =>
    Math.max(0, Math.min(SIDE - 1, Math.floor((SIDE * (at - from)) / size)));
  const x = pixel(event.clientX, box.left, box.width);
  const y = pixel(event.clientY, box.top, box.height);
  const steps = Math.max(1, Math.abs(x - region.x), Math.abs(y - region.y));
  const from = event.type === "pointerdown" ? { x, y } : { x: region.x, y: region.y };
  for (let step = 1; step <= steps; step += 1) {
    moveBrush(
      Math.round(from.x + ((x - from.x) * step) / steps),
      Math.round(from.y + ((y - from.y) * step) / steps),
    );
    mark(value);
  }
}

export function paintRegion() {
  const canvas = findBoard();
  if (!canvas) return;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(SIDE, SIDE);
  const colour = readColour("region-learner");
  region.bits.forEach((bit, at) =>
    picture.data.set([...colour, bit ? OPACITY : 0], 4 * at));
  context.putImageData(picture, 0, 0);
  placeBrush();
  sayStatus();
}

// The region as hexadecimal digits, row by row, as the server reads it.
export function writeRegion() {
  let text = "";
  for (let at = 0; at < region.bits.length; at += 4) {
    const [a, b, c, d] = region.bits.subarray(at, at + 4);
    text += (8 * a + 4 * b + 2 * c + d).toString(16);
  }
  return text;
}

function radius() {
  return find("[data-tool=broad]")?.checked ? 5 : 2;
}

function placeBrush() {
  const size = (100 * (2 * radius() + 1)) / SIDE;
  const centre = (at) => (100 * (at + 0.5)) / SIDE;
  find(".ma-brush").style.cssText = `left:${centre(region.x)}%;` +
    `top:${centre(region.y)}%;width:${size}%;height:${size}%`;
}

function sayStatus() {
  const status = find("[data-say=status]");
  const count = region.bits.reduce((sum, bit) => sum + bit, 0);
  const percent = `${((100 * count) / region.bits.length).toFixed(1)}%`;
  status.textContent = status.dataset.text
    .replace("{row}", region.y + 1)
    .replace("{column}", region.x + 1)
    .replace("{fraction}", percent);
}
