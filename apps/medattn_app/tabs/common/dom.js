// Elements of a component: find one, make one.

export function find(selector, root = element) {
  return root.querySelector(selector);
}

// Makes an element: `text` is its text, `onclick` and the like are its listeners, all
// else are its attributes, of which null and false are left out.
export function make(tag, options = {}, ...children) {
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
