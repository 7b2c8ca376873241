// The colours that Python hands to the page as custom properties, see colours.py.

// Reads a colour as [red, green, blue], each 0 to 255.
export function readColour(name) {
  const text = getComputedStyle(element).getPropertyValue(`--colour-${name}`);
  return text.trim().split(/\s+/).map(Number);
}
