// Starts the page: the filter, the figures (each waits to be seen), the theme of paper.

drawFilter();
drawRunChoice();
drawQuestion();
drawPlacement();
view.onChange(refresh);

for (const link of document.querySelectorAll("nav a[href^='#']")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    view.visit(link.hash.slice(1));
  });
}

let widthBefore = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === widthBefore) return;
  widthBefore = innerWidth;
  refresh();
});
// paper shows everything, at its own width; its colours come from the style sheet
addEventListener("beforeprint", () => {
  document.body.classList.add("printing");
  refresh({ all: true });
});
addEventListener("afterprint", () => {
  document.body.classList.remove("printing");
  refresh();
});

if (view.section()) byId(view.section())?.scrollIntoView();
document.body.dataset.ready = "yes";
