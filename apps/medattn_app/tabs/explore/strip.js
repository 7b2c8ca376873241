// The strip of images: one button each, pictures as soon as the server sent them.

import { make } from "../common/dom.js";
import { catalogue, page, requestChange, word } from "./state.js";

const replies = new Map(); // what the server sends of a data set's strip

export function makeStrip() {
  return make("div", { class: "mx-strip", role: "group", "aria-label": word("image") });
}

export async function drawStrip() {
  const { dataset } = page.question;
  const { strip } = page.knobs;
  if (strip.dataset.of !== dataset) {
    strip.dataset.of = dataset;
    const count = catalogue.images[dataset];
    strip.replaceChildren(...Array.from({ length: count }, (_, at) => makeButton(at)));
    await drawPictures(strip, dataset);
  }
  [...strip.children].forEach((button, at) => {
    const chosen = !page.uploaded && at === page.question.image;
    button.setAttribute("aria-pressed", String(chosen));
  });
}

function makeButton(at) {
  const onclick = () => {
    page.uploaded = null;
    page.question = { ...page.question, image: -1 }; // the same image counts as a change
    requestChange({ image: at });
  };
  return make("button", { type: "button", "data-testid": `image-${at}`, onclick });
}

async function drawPictures(strip, dataset) {
  if (!replies.has(dataset)) {
    replies.set(dataset, server.strip({ dataset, lang: page.question.lang }));
  }
  try {
    const { images } = await replies.get(dataset);
    if (strip.dataset.of !== dataset) return;
    images.forEach((image, at) => {
      strip.children[at].setAttribute("aria-label", image.name);
      strip.children[at].replaceChildren(make("img", { src: image.picture, alt: "" }));
    });
  } catch {
    replies.delete(dataset);
    strip.dataset.of = "";
  }
}
