// The answer of a function, shown as what it is.

// A longer text is cut, because a browser takes seconds to lay it out. It can be saved as a whole.
const LONGEST_TEXT = 200_000;

const PLAYERS = { image: "img", audio: "audio", video: "video" };

const TEXT = /^text\/|[/+]json\b|[/+]xml\b|^application\/(javascript|x-www-form-urlencoded)|^$/;

// What pictures begin with. A program that writes one to its stdout need not say what it is.
const PICTURES = { "image/png": "\x89PNG", "image/jpeg": "\xff\xd8\xff", "image/gif": "GIF8" };

// The media type of a body, which the server has named, or which its first bytes show.
async function typeOf(blob, named) {
  if (named !== "application/octet-stream") return named;
  const bytes = new Uint8Array(await blob.slice(0, 4).arrayBuffer());
  const beginning = String.fromCharCode(...bytes);
  return Object.keys(PICTURES).find((type) => beginning.startsWith(PICTURES[type])) ?? named;
}

function saving(blob, type) {
  const [, subtype] = type.match(/^[a-z]+\/([a-z0-9]{1,8})/) ?? [];
  const name = subtype && subtype !== "octet" ? `answer.${subtype}` : "answer";
  const text = `Save the answer: ${size(blob.size)}${type && ` of ${type}`}`;
  return element("a", { href: URL.createObjectURL(blob), download: name, textContent: text });
}

async function textual(blob, type) {
  const whole = await blob.text();
  const text = /json/.test(type) && whole.length <= LONGEST_TEXT ? prettyJson(whole) : whole;
  const shown = element("pre", { textContent: text.slice(0, LONGEST_TEXT), tabIndex: 0 });
  return text.length > LONGEST_TEXT ? [shown, saving(blob, type)] : [shown];
}

// The elements that show a body of this media type.
async function shownBody(blob, type) {
  if (blob.size === 0) return [element("p", { className: "soft", textContent: "The answer has no content." })];
  const player = PLAYERS[type.split("/")[0]];
  if (!player) return TEXT.test(type) ? textual(blob, type) : [saving(blob, type)];
  const media = element(player, { src: URL.createObjectURL(blob.slice(0, blob.size, type)) });
  if (player === "img") media.alt = `The answer, as ${type}`;
  else media.controls = true;
  return [media, saving(blob, type)];
}

// The phases of the call, as the server measured them: `start;desc=warm, run;dur=1.5`.
function phases(response) {
  const parts = (response.headers.get("server-timing") ?? "").split(",").map((part) => part.trim().split(";"));
  const known = { queued: "queued", load: "loading", init: "instantiating", run: "running" };
  const times = parts.filter(([name, value]) => known[name] && value?.startsWith("dur=") && value !== "dur=0");
  const start = parts.find(([name]) => name === "start")?.[1]?.replace("desc=", "");
  const texts = times.map(([name, value]) => `${known[name]} ${duration(value.slice(4) / 1000)}`);
  return start ? [start, ...texts] : texts;
}

// The id of the trace, if the server sends one (W3C Trace Context, level 2).
const traceId = (response) => response.headers.get("traceresponse")?.split("-")[1];

function facts(response) {
  const invocation = response.headers.get("nebula-invocation-id");
  const trace = traceId(response);
  const named = [["invocation", invocation], ["trace", trace]].filter(([, id]) => id);
  const ids = named.flatMap(([name, id]) => [`${name} `, element("code", { textContent: id }), " "]);
  return element("p", { className: "soft" }, [[...phases(response), ""].join(" · "), ...ids]);
}

function fields(response) {
  const rows = [...response.headers].map(([name, value]) => [
    element("dt", { textContent: name }),
    element("dd", { textContent: value }),
  ]);
  const list = element("dl", { className: "soft" }, rows.flat());
  return element("details", {}, [element("summary", { textContent: "Header fields" }), list]);
}

// The elements that show a response, which took so many milliseconds.
async function shownResponse(response, took) {
  const blob = await response.blob();
  const type = await typeOf(blob, (response.headers.get("content-type") ?? "").toLowerCase());
  const body = await shownBody(blob, type);
  const status = `${response.status} ${response.statusText}`.trim();
  const parts = [element("strong", { textContent: status }), ` in ${duration(took / 1000)}`];
  const line = element("p", { className: "status" }, parts);
  return [line, facts(response), ...body, fields(response)];
}
