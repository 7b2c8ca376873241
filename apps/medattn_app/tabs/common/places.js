// An image of the strip was pressed: tell the server which.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-place]");
  if (button) trigger("click", { place: Number(button.dataset.place) });
});
