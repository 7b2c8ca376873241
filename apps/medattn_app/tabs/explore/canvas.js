// Maps, contours and outlines: numbers in, pixels and paths out. Nothing here knows the page.
const SIDE = 64;
const FOR = [213, 94, 0], AGAINST = [0, 114, 178];

function unpack(packed) {
  const text = atob(packed.data);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const whole = new Int16Array(bytes.buffer);
  return Float32Array.from(whole, (number) => number * packed.step);
}

function paint(canvas, values, scale) {
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  for (let at = 0; at < values.length; at++) {
    const colour = values[at] > 0 ? FOR : AGAINST;
    image.data.set(colour, 4 * at);
    // Zero is clear, so that the image stays readable.
    image.data[4 * at + 3] = Math.round(255 * Math.min(1, Math.abs(values[at]) / scale));
  }
  context.putImageData(image, 0, 0);
}

function veil(canvas, values) {
  // Where a gate lets little through, the image darkens.
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  let low = Infinity, high = -Infinity;
  for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
  for (let at = 0; at < values.length; at++) {
    const open = high > low ? (values[at] - low) / (high - low) : 1;
    image.data[4 * at + 3] = Math.round(220 * (1 - open));
  }
  context.putImageData(image, 0, 0);
}

function smoothed(values) {
  // A binomial blur, so that contours follow shapes and not single pixels.
  const kernel = [1, 4, 6, 4, 1].map((weight) => weight / 16);
  const pass = (from, across) => {
    const to = new Float32Array(from.length);
    for (let y = 0; y < SIDE; y++) for (let x = 0; x < SIDE; x++) {
      let sum = 0;
      for (let k = -2; k <= 2; k++) {
        const X = across ? Math.min(SIDE - 1, Math.max(0, x + k)) : x;
        const Y = across ? y : Math.min(SIDE - 1, Math.max(0, y + k));
        sum += kernel[k + 2] * from[Y * SIDE + X];
      }
      to[y * SIDE + x] = sum;
    }
    return to;
  };
  return pass(pass(values, true), false);
}

function contour(values, level) {
  // Marching squares: the path where the map crosses a level, in pixels.
  const at = (x, y) => values[y * SIDE + x] - level;
  let path = "";
  for (let y = 0; y < SIDE - 1; y++) for (let x = 0; x < SIDE - 1; x++) {
    const [a, b, c, d] = [at(x, y), at(x + 1, y), at(x + 1, y + 1), at(x, y + 1)];
    const cuts = [];
    if (a > 0 !== b > 0) cuts.push([x + 0.5 + a / (a - b), y + 0.5]);
    if (b > 0 !== c > 0) cuts.push([x + 1.5, y + 0.5 + b / (b - c)]);
    if (c > 0 !== d > 0) cuts.push([x + 0.5 + d / (d - c), y + 1.5]);
    if (d > 0 !== a > 0) cuts.push([x + 0.5, y + 0.5 + a / (a - d)]);
    for (let k = 0; k + 1 < cuts.length; k += 2) {
      const [from, to] = [cuts[k], cuts[k + 1]];
      path += `M${from[0].toFixed(2)} ${from[1].toFixed(2)}L${to[0].toFixed(2)} ${to[1].toFixed(2)}`;
    }
  }
  return path;
}

function border(rows) {
  // The edge between evidence and the rest, along the sides of pixels.
  const inside = (x, y) => (rows[y] || "")[x] === "1";
  let path = "";
  for (let y = 0; y < rows.length; y++) for (let x = 0; x < rows[y].length; x++) {
    if (!inside(x, y)) continue;
    if (!inside(x, y - 1)) path += `M${x} ${y}h1`;
    if (!inside(x, y + 1)) path += `M${x} ${y + 1}h1`;
    if (!inside(x - 1, y)) path += `M${x} ${y}v1`;
    if (!inside(x + 1, y)) path += `M${x + 1} ${y}v1`;
  }
  return path;
}
