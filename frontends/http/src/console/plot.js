// Series of numbers, drawn as lines.

const PLOT = { width: 240, height: 40, points: 60 };

const svg = (name, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([attribute, value]) => made.setAttribute(attribute, value));
  return made;
};

// An empty drawing.
const drawing = () =>
  svg("svg", { class: "plot", role: "img", viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, preserveAspectRatio: "none" });

// The line of some values, of which the last one is at the right. A value that is null leaves a gap.
function line(values, most) {
  const step = PLOT.width / (PLOT.points - 1);
  const left = PLOT.width - (values.length - 1) * step;
  let path = "";
  values.forEach((value, index) => {
    if (value === null) return;
    const begins = index === 0 || values[index - 1] === null;
    const height = most > 0 ? (Math.min(value, most) / most) * (PLOT.height - 4) : 0;
    path += `${begins ? "M" : "L"}${(left + index * step).toFixed(1)} ${(PLOT.height - 2 - height).toFixed(1)}`;
    const ends = index === values.length - 1 || values[index + 1] === null;
    // A single point is a line too, as long as a step.
    if (begins && ends) path += "h2";
  });
  return path;
}

// Draws `lines`: the values of each by the name of its class. All have the same scale. `label` says what they show. A
// line without any value but zero is pale.
function draw(plot, label, lines) {
  const finite = Object.values(lines).flat().filter((value) => value !== null && Number.isFinite(value));
  const most = Math.max(0, ...finite);
  const paths = Object.entries(lines).map(([name, values]) => {
    const isIdle = values.every((value) => !value);
    return svg("path", { class: isIdle ? `${name} idle` : name, d: line(values, most) });
  });
  plot.setAttribute("aria-label", label);
  plot.replaceChildren(...paths);
}
