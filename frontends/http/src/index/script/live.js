// The live numbers of the server and of its functions. They are asked for while the page is visible, and only what is
// on the screen is drawn.

// How often the server is asked, in milliseconds.
const PAUSE = 2_000;

const PERCENTILES = ["p50", "p95", "p99"];

const live = { at: 0, last: null, whole: new Series(), functions: new Map(), visible: new Set() };

const figure = (title) => {
  const [value, plot] = [element("strong", {}), drawing()];
  return { value, plot, element: element("figure", {}, [element("figcaption", {}, [title, " ", value]), plot]) };
};

const figures = () => ({
  calls: figure("Calls a second"),
  failures: figure("Errors a second"),
  times: figure("Latency"),
});

// Draws the series of the server or of a function.
function drawSeries({ calls, failures, times }, series) {
  const last = series.last();
  calls.value.textContent = number(last.calls);
  draw(calls.plot, `Calls a second: ${number(last.calls)}`, { calls: series.values("calls") });
  failures.value.textContent = number(last.failures);
  failures.value.className = last.failures > 0 ? "failed" : "";
  draw(failures.plot, `Errors a second: ${number(last.failures)}`, { failures: series.values("failures") });
  const texts = PERCENTILES.map((name) => `${name} ${duration(last[name])}`);
  const spans = texts.map((textContent, index) => element("span", { textContent, className: PERCENTILES[index] }));
  times.value.replaceChildren(...spans.flatMap((span) => [span, " "]));
  const lines = Object.fromEntries(PERCENTILES.map((name) => [name, series.values(name)]));
  draw(times.plot, `Latency: ${texts.join(", ")}`, lines);
}

// The elements that show a function's numbers: beside its name, and above its versions.
function placesOf(article) {
  if (article.live) return article.live;
  const places = { brief: element("span", { className: "live" }), figures: figures(), spark: drawing() };
  article.querySelector("summary").append(places.brief);
  const plots = Object.values(places.figures).map((figure) => figure.element);
  article.querySelector(".versions").before(element("div", { className: "plots" }, plots));
  article.live = places;
  return places;
}

function drawFunction(article) {
  const series = live.functions.get(article.id);
  if (!series?.last()) return;
  const { brief, spark, figures } = placesOf(article);
  const { calls, failures, p99 } = series.last();
  const span = (textContent, className = "") => element("span", { textContent, className });
  const errors = failures > 0 ? [span(`${number(failures)} errors/s`, "failed")] : [];
  const lines = { calls: series.values("calls"), failures: series.values("failures") };
  draw(spark, "The calls and errors of the last two minutes", lines);
  brief.replaceChildren(span(`${number(calls)} calls/s`), span(`p99 ${duration(p99)}`), ...errors, spark);
  if (article.querySelector("details").open) {
    drawSeries(figures, series);
    writeVersions(article);
  }
}

// Writes the counts of versions into their table, and the rates since the last look.
function writeVersions(article) {
  const [now, before] = [live.last, live.before].map((look) => look?.get(article.id)?.versions ?? []);
  for (const row of article.querySelectorAll("[data-version]")) {
    const version = Number(row.dataset.version);
    const counted = now.find((other) => other.version === version);
    if (!counted) continue;
    const { calls, failures } = since(before.find((other) => other.version === version) ?? NONE, counted);
    const rate = (count) => element("small", { textContent: `${number(count / live.seconds)}/s`, hidden: count === 0 });
    const [, , called, failed] = row.cells;
    called.replaceChildren(`${number(counted.calls)} `, rate(calls));
    failed.replaceChildren(`${number(counted.failures)} `, rate(failures));
    failed.className = counted.failures > 0 ? "failed" : "";
  }
}

function drawWhole() {
  const place = document.getElementById("live");
  if (!live.whole.last()) return;
  if (!place.figures) {
    place.figures = figures();
    place.replaceChildren(...Object.values(place.figures).map((figure) => figure.element));
  }
  drawSeries(place.figures, live.whole);
}

// Takes the counts of one look.
function take({ bounds, total, functions }, at) {
  const now = new Map(functions.map((counts) => [counts.function, counts]));
  const seconds = (at - live.at) / 1000;
  if (live.last) {
    live.whole.add(live.total, total, seconds, bounds);
    for (const name of new Set([...now.keys(), ...live.functions.keys()])) {
      if (!live.functions.has(name)) live.functions.set(name, new Series());
      live.functions.get(name).add(live.last.get(name) ?? NONE, now.get(name) ?? NONE, seconds, bounds);
    }
  }
  Object.assign(live, { at, seconds, total, before: live.last, last: now });
}

async function look() {
  const place = document.getElementById("live");
  try {
    const asked = performance.now();
    const response = await fetch(`metrics${location.search}`, { headers: { accept: "application/json" } });
    if (!response.ok) throw new Error(`status ${response.status}`);
    // The server has counted between the two moments.
    const at = (asked + performance.now()) / 2;
    take(await response.json(), at);
    drawWhole();
    live.visible.forEach(drawFunction);
  } catch (error) {
    const textContent = `There are no live numbers: ${error.message}`;
    place.replaceChildren(element("p", { className: "soft", textContent }));
    Object.assign(live, { last: null, before: null });
    delete place.figures;
  }
}

function watch() {
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) live.visible.delete(target);
      else if (live.visible.add(target)) drawFunction(target);
    }
  });
  document.querySelectorAll("article:has(summary)").forEach((article) => seen.observe(article));
  const next = whileVisible(PAUSE, look);
  // The first rates show after a shorter time.
  setTimeout(next, PAUSE / 4);
}
