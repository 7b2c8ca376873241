// Blink: the large view alternates between two cells, once a second.

import { find } from "../common/dom.js";
import { counterpart } from "./networks.js";
import { drawStage } from "./stage.js";
import { mapOf, page, word } from "./state.js";
import { fullScale, showMap } from "./viewer.js";

const blinking = { timer: null };

export function toggleBlink() {
  if (blinking.timer) {
    stopBlinking();
    return;
  }
  const known = page.previous && page.cells.has(page.previous);
  const other = known ? page.previous : counterpart(page.id);
  if (other) startBlinking(other);
  else resetBlink();
}

// Ends it if it is under way.
export function stopBlinking() {
  if (!blinking.timer) return;
  clearInterval(blinking.timer);
  blinking.timer = null;
  resetBlink();
}

function resetBlink() {
  const button = find(".mx-blink");
  button.setAttribute("aria-pressed", "false");
  button.textContent = word("blink");
  drawStage();
}

function startBlinking(other) {
  const button = find(".mx-blink");
  button.setAttribute("aria-pressed", "true");
  let first = true;
  const turn = () => {
    first = !first;
    const id = first ? page.id : other;
    showMap(find(".mx-stage .mx-pile"), mapOf(id), fullScale());
    button.textContent = `${word("blink_with")} ${page.cells.get(id)?.title || id}`;
  };
  turn();
  blinking.timer = setInterval(turn, 1000);
}
