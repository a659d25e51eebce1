// What an invocation was and what it cost.

const PHASES = ["queued", "loading", "instantiating", "running"];

const micros = (value) => duration(value / 1e6);
const took = (report) => PHASES.reduce((sum, phase) => sum + report[`${phase}_us`], 0);

// The phases as a bar, and what the colours of the bar mean.
function phaseBar(report) {
  const all = Math.max(took(report), 1);
  let left = 0;
  const parts = PHASES.map((phase) => {
    const width = (report[`${phase}_us`] / all) * 100;
    const part = svg("rect", { class: phase, x: left, y: 0, width, height: 1 });
    left += width;
    return part;
  });
  const bar = svg("svg", { class: "phases", viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" });
  bar.append(...parts);
  const legend = PHASES.map((phase) => {
    const mark = svg("svg", { class: "phases", viewBox: "0 0 1 1", "aria-hidden": "true" });
    mark.append(svg("rect", { class: phase, width: 1, height: 1 }));
    return element("span", {}, [mark, ` ${phase} ${micros(report[`${phase}_us`])}`]);
  });
  return [bar, element("div", { className: "legend" }, legend)];
}

const used = ({ service, operations, failed, time_us: time }) =>
  `${service}: ${operations} operations, ${failed} failed, ${micros(time)}`;

// The facts of a report that there are, by name.
function factsOf(report) {
  const [, trace, span] = report.traceparent?.split("-") ?? [];
  return [
    ["invocation", report.id],
    ["trace", trace],
    ["span", span],
    ["digest", report.digest],
    ["kind", report.kind],
    ["through", report.frontend],
    ["start", report.start],
    ["CPU", micros(report.cpu_us)],
    ["memory", size(report.peak_memory_bytes)],
    ["bytes", `${size(report.bytes_in)} in, ${size(report.bytes_out)} out`],
    ["services", report.services?.map(used).join("; ")],
    ["failure", report.failure],
    ["stack", report.stack?.join("\n")],
  ].filter(([, fact]) => fact);
}

const logLine = ({ level, context, message }) =>
  element("li", { className: level, textContent: `${level} ${context ? `${context}: ` : ""}${message}` });

// The lines that the guest logged.
function logOf({ log, log_is_cut: isCut }) {
  if (!log) return [element("p", { className: "soft", textContent: "The guest logged no line that is kept." })];
  const lines = element("ol", { className: "log", tabIndex: 0, ariaLabel: "The guest's log" }, log.map(logLine));
  const more = element("p", { className: "soft", textContent: "The log of the server has more lines.", hidden: !isCut });
  return [lines, more];
}

// All of a report.
function reportDetails(report) {
  const facts = factsOf(report).flatMap(([name, fact]) => [
    element("dt", { textContent: name }),
    element("dd", {}, [element("code", { textContent: fact })]),
  ]);
  return [...phaseBar(report), element("dl", { className: "soft" }, facts), ...logOf(report)];
}
