// Maps as pixels: packed numbers in, a painted canvas out. Nothing here knows the page.

import { readColour } from "../common/colours.js";

export const SIDE = 64; // pixels of an image, as the networks see it

export function unpack(packed) {
  const text = atob(packed.data);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const steps = new Int16Array(bytes.buffer);
  return Float32Array.from(steps, (number) => number * packed.step);
}

export function paintMap(canvas, values, scale) {
  const positive = readColour("map-for");
  const negative = readColour("map-against");
  paint(canvas, (pixels) => {
    for (let at = 0; at < values.length; at++) {
      pixels.set(values[at] > 0 ? positive : negative, 4 * at);
      // Zero is clear, so that the image stays readable.
      const opacity = Math.min(1, Math.abs(values[at]) / scale);
      pixels[4 * at + 3] = Math.round(255 * opacity);
    }
  });
}

// Darkens the image where a gate lets little through.
export function paintGate(canvas, values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  paint(canvas, (pixels) => {
    for (let at = 0; at < values.length; at++) {
      const open = high > low ? (values[at] - low) / (high - low) : 1;
      pixels[4 * at + 3] = Math.round(220 * (1 - open));
    }
  });
}

function paint(canvas, fill) {
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  fill(image.data);
  context.putImageData(image, 0, 0);
}
