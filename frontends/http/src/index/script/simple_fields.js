// Fields for values without parts: numbers, texts, booleans, cases.
//
// A field is an object with the element that shows it, a function `text` that gives its value as JSON, and a function
// `set` that takes another value. `set` throws if the value does not fit.

const misfit = (value) => new TypeError(`${JSON.stringify(value)} does not fit`);

// The name of a field, its type, and the documentation of its author.
function caption({ label, type, docs }) {
  const parts = [label, " ", element("small", { textContent: type === label ? "" : type })];
  return docs ? [...parts, element("small", { className: "docs", textContent: docs })] : parts;
}

const labelled = (named, control) => element("label", {}, [element("span", {}, caption(named)), control]);

const textInput = (properties) => element("input", { autocomplete: "off", spellcheck: false, ...properties });

function booleanField(named) {
  const box = element("input", { type: "checkbox" });
  return {
    element: element("label", { className: "check" }, [box, element("span", {}, caption(named))]),
    text: () => String(box.checked),
    set: (value) => {
      if (typeof value !== "boolean") throw misfit(value);
      box.checked = value;
    },
  };
}

function enumField(named, schema) {
  const select = element("select", {}, schema.enum.map((name) => new Option(name)));
  return {
    element: labelled(named, select),
    text: () => JSON.stringify(select.value),
    set: (value) => {
      if (!schema.enum.includes(value)) throw misfit(value);
      select.value = value;
    },
  };
}

// The least and the greatest integer of a format such as `uint64`. The bounds in a schema may have lost digits.
function range(format) {
  const [, unsigned, bits] = format.match(/^(u?)int(\d+)$/);
  const half = 1n << (BigInt(bits) - 1n);
  return unsigned ? [0n, 2n * half - 1n] : [-half, half - 1n];
}

function integerField(named, schema) {
  const [least, greatest] = range(schema.format);
  const input = textInput({ value: "0", required: true, inputMode: least < 0n ? "text" : "numeric" });
  const isInteger = () => /^-?\d+$/.test(input.value.trim());
  const check = () => {
    const fits = isInteger() && BigInt(input.value) >= least && BigInt(input.value) <= greatest;
    input.setCustomValidity(fits ? "" : `Expected an integer from ${least} to ${greatest}`);
  };
  input.addEventListener("input", check);
  return {
    element: labelled(named, input),
    text: () => (isInteger() ? String(BigInt(input.value)) : JSON.stringify(input.value)),
    set: (value) => {
      const written = String(digits(value));
      if (!/^-?\d+$/.test(written)) throw misfit(value);
      input.value = written;
      check();
    },
  };
}

const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/;
const SPECIAL_NUMBERS = ["NaN", "Infinity", "-Infinity"];

function floatField(named) {
  const input = textInput({ value: "0", required: true, inputMode: "text" });
  const check = () => {
    const fits = JSON_NUMBER.test(input.value.trim()) || SPECIAL_NUMBERS.includes(input.value.trim());
    input.setCustomValidity(fits ? "" : "Expected a number such as 1.5 or -2e10, or NaN, Infinity or -Infinity");
  };
  input.addEventListener("input", check);
  return {
    element: labelled(named, input),
    text: () => (JSON_NUMBER.test(input.value.trim()) ? input.value.trim() : JSON.stringify(input.value.trim())),
    set: (value) => {
      const written = String(digits(value));
      if (!JSON_NUMBER.test(written) && !SPECIAL_NUMBERS.includes(value)) throw misfit(value);
      input.value = written;
      check();
    },
  };
}

function stringField(named, schema) {
  const area = element("textarea", { rows: 1, spellcheck: false });
  const check = () => {
    const fits = schema.maxLength !== 1 || [...area.value].length === 1;
    area.setCustomValidity(fits ? "" : "Expected one character");
  };
  area.addEventListener("input", check);
  check();
  return {
    element: labelled(named, area),
    text: () => JSON.stringify(area.value),
    set: (value) => {
      if (typeof value !== "string") throw misfit(value);
      area.value = value;
      check();
    },
  };
}

// Bytes, as base64 or from a file.
function bytesField(named) {
  const field = stringField({ ...named, type: "bytes, as base64" }, {});
  const area = field.element.querySelector("textarea");
  const file = element("input", { type: "file", ariaLabel: `${named.label}, from a file` });
  file.addEventListener("change", () => {
    const reader = new FileReader();
    reader.addEventListener("load", () => {
      area.value = reader.result.split(",")[1] ?? "";
      area.dispatchEvent(new Event("input", { bubbles: true }));
    });
    if (file.files[0]) reader.readAsDataURL(file.files[0]);
  });
  return { ...field, element: element("div", { className: "bytes" }, [field.element, file]) };
}
