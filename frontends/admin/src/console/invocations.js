// The last invocations. The API is asked for those after the last one that is shown.

// How often the API is asked, in milliseconds, and how many invocations are shown.
const PAUSE = 2_000;
const SHOWN = 200;

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" };

const state = { after: 0, paused: false, asked: 0 };

const rows = () => document.querySelector("#invocations tbody");

// The row of an invocation. Its button shows the whole report.
function invocationRow(report) {
  const time = new Date(report.started);
  const [clock, fraction] = time.toLocaleTimeString("en", CLOCK).split(".");
  const parts = [clock, element("span", { className: "wide", textContent: `.${fraction}` })];
  const button = element("button", { type: "button", className: "link" }, parts);
  button.title = time.toISOString();
  const [name] = report.function.split("@");
  const [first, outcome] = [element("th", { scope: "row" }, [button]), report.outcome];
  const row = element("tr", { className: "invocation" }, [
    first,
    cell(report.version === null ? report.function : `${name}@${report.version}`),
    cell(outcome, outcome === "ok" ? "ok" : "failed"),
    cell(micros(took(report))),
    cell(micros(report.cpu_us), "wide"),
    cell(size(report.peak_memory_bytes), "wide"),
    cell(size(report.bytes_in), "wide"),
    cell(size(report.bytes_out), "wide"),
  ]);
  button.ariaExpanded = "false";
  button.addEventListener("click", () => toggle(row, button, report));
  return row;
}

function toggle(row, button, report) {
  const isOpen = button.ariaExpanded === "true";
  button.ariaExpanded = String(!isOpen);
  if (isOpen) return row.nextElementSibling.remove();
  row.after(element("tr", { className: "details" }, [element("td", { colSpan: 8 }, reportDetails(report))]));
}

// Asks for what is wanted now. An answer to an earlier question is dropped.
async function refresh() {
  if (state.paused || !isSignedIn()) return;
  const asked = ++state.asked;
  const query = new URLSearchParams({ limit: SHOWN, after: state.after });
  const wanted = document.getElementById("wanted").value.trim();
  if (wanted) query.set("function", wanted);
  if (document.getElementById("failed").checked) query.set("failed", "true");
  try {
    const { invocations, last } = await ask(`invocations?${query}`);
    if (asked !== state.asked) return;
    state.after = last;
    tell(null);
    rows().prepend(...invocations.map(invocationRow));
    [...rows().querySelectorAll(".invocation")].slice(SHOWN).forEach(remove);
    document.getElementById("none").hidden = rows().childElementCount > 0;
  } catch (error) {
    if (asked === state.asked) complain(error);
  }
}

function remove(row) {
  if (row.nextElementSibling?.matches(".details")) row.nextElementSibling.remove();
  row.remove();
}

// Begins anew, because other invocations are wanted.
function restart() {
  state.after = 0;
  rows().replaceChildren();
  refresh();
}

function select(name) {
  document.getElementById("wanted").value = name;
  document.getElementById("invocations-title").scrollIntoView();
  restart();
}
