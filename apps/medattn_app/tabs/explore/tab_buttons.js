// Hides the buttons of tabs that a teacher took away.

import { catalogue } from "./state.js";

// Gradio marks the buttons in the row with their tab's id, but not those in the menu of
// tabs without room: these are known by the title that the row's button has.
export function hideTabs(hidden) {
  const titles = new Map();
  for (const name of catalogue.tabs) {
    const title = document.getElementById(`ma-tab-${name}-button`)?.textContent.trim();
    if (title) titles.set(title, name);
  }
  for (const button of document.querySelectorAll("#ma-tabs > .tab-wrapper button")) {
    const name = button.dataset.tabId || titles.get(button.textContent.trim());
    if (!catalogue.tabs.includes(name)) continue;
    button.style.display = hidden.includes(name) ? "none" : "";
  }
}
