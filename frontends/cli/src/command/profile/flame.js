// A click enlarges a function to the whole width. A click on the lowest row shows everything again.
const boxes = [...document.querySelectorAll("svg > svg")].map((box) => ({
  box,
  left: parseFloat(box.getAttribute("x")),
  right: parseFloat(box.getAttribute("x")) + parseFloat(box.getAttribute("width")),
}));
document.documentElement.addEventListener("click", (event) => {
  const clicked = event.target.closest("svg > svg");
  const shown = boxes.find(({ box }) => box === clicked);
  if (!shown) return;
  const place = (x) => Math.min(100, Math.max(0, ((x - shown.left) * 100) / (shown.right - shown.left)));
  for (const { box, left, right } of boxes) {
    box.setAttribute("x", `${place(left)}%`);
    box.setAttribute("width", `${place(right) - place(left)}%`);
  }
});
