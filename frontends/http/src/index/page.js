"use strict";
const element = (name, properties) => Object.assign(document.createElement(name), properties);

function call(form) {
  const values = [...form.querySelectorAll("[data-argument]")].map((field) => field.value);
  const typed = form.querySelector("[data-path]")?.value;
  const parts = typed ? typed.split("/") : values;
  const path = [form.dataset.function, ...parts.map(encodeURIComponent)].join("/");
  const body = form.querySelector("[type=file]")?.files[0] ?? (form.querySelector("textarea")?.value || undefined);
  return fetch(path, body === undefined ? {} : { method: "POST", body });
}

async function shown(response) {
  const type = response.headers.get("content-type") ?? "";
  if (/^text\/|json|xml\b|^$/.test(type) && !type.startsWith("image/")) {
    return element("pre", { textContent: await response.text() });
  }
  const blob = await response.blob();
  const address = URL.createObjectURL(blob);
  if (type.startsWith("image/")) {
    return element("img", { src: address, alt: `The result, as ${type}` });
  }
  return element("a", { href: address, download: "result", textContent: `Save the result: ${blob.size} bytes of ${type}` });
}

async function run(form) {
  const output = form.querySelector("output");
  const button = form.querySelector("button");
  button.disabled = true;
  output.querySelectorAll("[src],[href]").forEach((old) => URL.revokeObjectURL(old.src ?? old.href));
  const start = performance.now();
  try {
    const response = await call(form);
    const result = await shown(response);
    const took = (performance.now() - start).toFixed(1);
    const status = `${response.status} ${response.statusText} · ${took} ms`;
    output.classList.toggle("failed", !response.ok);
    output.replaceChildren(element("p", { className: "soft", textContent: status }), result);
  } catch (error) {
    output.classList.add("failed");
    output.replaceChildren(element("p", { textContent: `The server did not answer: ${error.message}` }));
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  event.preventDefault();
  run(event.target);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("textarea")) {
    event.target.form.requestSubmit();
  }
});
document.getElementById("filter")?.addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const article of document.querySelectorAll("article")) {
    article.hidden = !article.id.includes(wanted);
  }
});
document.querySelector("[data-partial]")?.addEventListener("keydown", (event) => {
  if (event.key === "Enter") {
    location.search = new URLSearchParams({ prefix: event.target.value.trim().toLowerCase() });
  }
});
