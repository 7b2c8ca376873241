// Maps and masks as lines: numbers in, the path of an SVG out.

import { SIDE } from "./canvas.js";

// A binomial blur, so that contours follow shapes and not single pixels.
export function smooth(values) {
  return blur(blur(values, true), false);
}

function blur(values, horizontal) {
  const kernel = [1, 4, 6, 4, 1].map((weight) => weight / 16);
  const inside = (at) => Math.min(SIDE - 1, Math.max(0, at));
  const blurred = new Float32Array(values.length);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      let sum = 0;
      for (let k = -2; k <= 2; k++) {
        const column = horizontal ? inside(x + k) : x;
        const row = horizontal ? y : inside(y + k);
        sum += kernel[k + 2] * values[row * SIDE + column];
      }
      blurred[y * SIDE + x] = sum;
    }
  }
  return blurred;
}

// Marching squares: the path where the map crosses a level, in pixels.
export function contourPath(values, level) {
  const point = ([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`;
  let path = "";
  for (let y = 0; y < SIDE - 1; y++) {
    for (let x = 0; x < SIDE - 1; x++) {
      const cuts = crossings(values, level, x, y);
      for (let k = 0; k + 1 < cuts.length; k += 2) {
        path += `M${point(cuts[k])}L${point(cuts[k + 1])}`;
      }
    }
  }
  return path;
}

// Where the level cuts the four sides of the square whose upper left pixel is (x, y).
function crossings(values, level, x, y) {
  const above = (column, row) => values[row * SIDE + column] - level;
  const [a, b] = [above(x, y), above(x + 1, y)];
  const [d, c] = [above(x, y + 1), above(x + 1, y + 1)];
  const cuts = [];
  if (a > 0 !== b > 0) cuts.push([x + 0.5 + a / (a - b), y + 0.5]);
  if (b > 0 !== c > 0) cuts.push([x + 1.5, y + 0.5 + b / (b - c)]);
  if (c > 0 !== d > 0) cuts.push([x + 0.5 + d / (d - c), y + 1.5]);
  if (d > 0 !== a > 0) cuts.push([x + 0.5, y + 0.5 + a / (a - d)]);
  return cuts;
}

// The edge of a mask along the sides of its pixels; rows are texts of 0 and 1.
export function borderPath(rows) {
  const inside = (x, y) => (rows[y] || "")[x] === "1";
  let path = "";
  for (let y = 0; y < rows.length; y++) {
    for (let x = 0; x < rows[y].length; x++) {
      if (!inside(x, y)) continue;
      if (!inside(x, y - 1)) path += `M${x} ${y}h1`;
      if (!inside(x, y + 1)) path += `M${x} ${y + 1}h1`;
      if (!inside(x - 1, y)) path += `M${x} ${y}v1`;
      if (!inside(x + 1, y)) path += `M${x + 1} ${y}v1`;
    }
  }
  return path;
}
