// The forms that call functions.

// The arguments that fields give together, as JSON, and how JSON is put into the fields. The only argument is itself.
function argumentFields({ params, types }) {
  const fields = params.map(({ name, schema }) => fieldFor(name, schema, types));
  const [only] = fields;
  if (fields.length === 1) return { elements: [only.element], text: only.text, set: only.set };
  return {
    elements: fields.map((field) => field.element),
    text: () => `[${fields.map((field) => field.text()).join(",")}]`,
    set: (value) => {
      if (!Array.isArray(value) || value.length !== fields.length) throw misfit(value);
      fields.forEach((field, index) => field.set(value[index]));
    },
  };
}

// Makes a field for each part of a function's arguments. The JSON follows the fields, and the fields follow the JSON. A
// type without a field leaves the form as the server has sent it.
function prepare(form) {
  const data = form.querySelector("script");
  if (!data) return;
  const area = form.querySelector(".json textarea");
  try {
    const fields = argumentFields(JSON.parse(data.textContent));
    fields.set(parseJson(area.value));
    keepInStep(form.querySelector(".typed"), area, fields);
    form.querySelector(".json").open = false;
  } catch (error) {
    console.info(`The arguments stay JSON: ${error.message}`);
  }
  data.remove();
}

function keepInStep(place, area, fields) {
  const set = element("fieldset", { className: "arguments" }, fields.elements);
  const note = element("p", { className: "failed", hidden: true });
  note.textContent = "The fields do not have this JSON. It is sent as it is.";
  const write = () => {
    area.value = prettyJson(fields.text());
    area.rows = Math.min(area.value.split("\n").length, 16);
  };
  const read = () => {
    try {
      fields.set(parseJson(area.value));
      set.disabled = false;
    } catch {
      set.disabled = true;
    }
    note.hidden = !set.disabled;
  };
  set.addEventListener("input", write);
  set.addEventListener("change", write);
  area.addEventListener("input", read);
  area.closest("details").append(note);
  place.replaceChildren(set);
  write();
}

function call(form) {
  const values = [...form.querySelectorAll("[data-argument]")].map((field) => field.value);
  const typed = form.querySelector("[data-path]")?.value;
  const parts = typed ? typed.split("/") : values;
  const path = [form.dataset.function, ...parts.map(encodeURIComponent)].join("/");
  const json = form.querySelector(".json textarea");
  if (json) return fetch(path, { method: "POST", body: json.value, headers: { "content-type": "application/json" } });
  const body = form.querySelector("[type=file]")?.files[0] ?? (form.querySelector("textarea")?.value || undefined);
  return fetch(path, body === undefined ? {} : { method: "POST", body });
}

async function run(form) {
  const output = form.querySelector("output");
  const button = form.querySelector("button:not([type])");
  button.disabled = true;
  output.querySelectorAll("[src],[href]").forEach((old) => URL.revokeObjectURL(old.src ?? old.href));
  const start = performance.now();
  try {
    const response = await call(form);
    const shown = await shownResponse(response, performance.now() - start);
    output.classList.toggle("failed", !response.ok);
    output.replaceChildren(...shown);
  } catch (error) {
    output.classList.add("failed");
    output.replaceChildren(element("p", { textContent: `The server did not answer: ${error.message}` }));
  } finally {
    button.disabled = false;
  }
}

// Prepares the forms that can be seen. On a page of many functions, these are few.
function prepareForms(within) {
  within.querySelectorAll("form").forEach((form) => {
    if (!form.closest("details.function:not([open]), details.export:not([open])")) prepare(form);
  });
}
