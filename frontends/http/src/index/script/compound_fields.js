// Fields for values with parts, and the choice of a field for a type.

const group = (named, children) => element("fieldset", {}, [element("legend", {}, caption(named)), ...children]);

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function flagsField(named, schema) {
  const flags = schema.items.enum.map((label) => [label, booleanField({ label, type: "" })]);
  return {
    element: group(named, [element("div", { className: "fields" }, flags.map(([, field]) => field.element))]),
    text: () => JSON.stringify(flags.filter(([, field]) => field.text() === "true").map(([label]) => label)),
    set: (value) => {
      if (!Array.isArray(value) || value.some((flag) => !schema.items.enum.includes(flag))) throw misfit(value);
      flags.forEach(([label, field]) => field.set(value.includes(label)));
    },
  };
}

function recordField(named, schema, types) {
  // The properties are sorted by name, and those that are required are in the order of their author.
  const required = schema.required ?? [];
  const labels = new Set([...required, ...Object.keys(schema.properties)]);
  const fields = [...labels].map((label) => [label, fieldFor(label, schema.properties[label], types)]);
  return {
    element: group(named, fields.map(([, field]) => field.element)),
    text: () => `{${fields.map(([label, field]) => `${JSON.stringify(label)}:${field.text()}`).join(",")}}`,
    set: (value) => {
      const isKnown = (label) => Object.hasOwn(schema.properties, label);
      const isGiven = (label) => Object.hasOwn(value, label);
      if (!isObject(value) || !Object.keys(value).every(isKnown) || !required.every(isGiven)) throw misfit(value);
      fields.forEach(([label, field]) => field.set(value[label] ?? null));
    },
  };
}

function tupleField(named, schema, types) {
  const parts = schema.prefixItems ?? Array(schema.minItems).fill(schema.items);
  const fields = parts.map((type, index) => fieldFor(String(index + 1), type, types));
  return {
    element: group(named, fields.map((field) => field.element)),
    text: () => `[${fields.map((field) => field.text()).join(",")}]`,
    set: (value) => {
      if (!Array.isArray(value) || value.length !== fields.length) throw misfit(value);
      fields.forEach((field, index) => field.set(value[index]));
    },
  };
}

// A list has a row for each item, a button that removes it, and one that adds another.
function listField(named, schema, types) {
  const rows = element("ol", {});
  const shown = [];
  const changed = () => rows.dispatchEvent(new Event("input", { bubbles: true }));
  const remove = (row) => {
    const index = shown.findIndex((other) => other.row === row);
    shown.splice(index, 1);
    row.remove();
    (shown[index]?.row.querySelector("input, textarea, select") ?? more).focus();
    changed();
  };
  const add = () => {
    const field = fieldFor("item", schema.items, types);
    const button = element("button", { type: "button", className: "quiet", textContent: "Remove" });
    button.ariaLabel = `Remove this item of ${named.label}`;
    const row = element("li", {}, [field.element, button]);
    button.addEventListener("click", () => remove(row));
    rows.append(row);
    shown.push({ row, field });
    return field;
  };
  const more = element("button", { type: "button", className: "quiet", textContent: "Add" });
  more.ariaLabel = `Add an item to ${named.label}`;
  more.addEventListener("click", () => {
    add().element.querySelector("input, textarea, select")?.focus();
    changed();
  });
  return {
    element: group(named, [rows, more]),
    text: () => `[${shown.map(({ field }) => field.text()).join(",")}]`,
    set: (value) => {
      if (!Array.isArray(value)) throw misfit(value);
      rows.replaceChildren();
      shown.length = 0;
      value.forEach((item) => add().set(item));
    },
  };
}

// An option is a box that says whether there is a value, and the value's field.
function optionField(named, schema, types) {
  const box = element("input", { type: "checkbox" });
  const field = fieldFor(named.label, schema.anyOf.find((type) => type.type !== "null"), types);
  const place = element("div", {});
  const show = () => place.replaceChildren(...(box.checked ? [field.element] : []));
  box.addEventListener("change", show);
  const words = element("span", {}, caption({ ...named, type: "optional" }));
  const label = element("label", { className: "check" }, [box, words]);
  return {
    element: element("div", { className: "option" }, [label, place]),
    text: () => (box.checked ? field.text() : "null"),
    set: (value) => {
      box.checked = value !== null;
      show();
      if (box.checked) field.set(value);
    },
  };
}

// The cases of a variant or of a result, by name: the schema of its value, or nothing.
const casesOf = (schema) =>
  schema.oneOf.map((type) => (Object.hasOwn(type, "const") ? [type.const, null] : Object.entries(type.properties)[0]));

function variantField(named, schema, types) {
  const cases = new Map(casesOf(schema));
  const fields = new Map();
  const names = [...cases.keys()].map((name) => new Option(name));
  const select = element("select", { ariaLabel: `${named.label}: the case` }, names);
  const place = element("div", {});
  const current = () => {
    const type = cases.get(select.value);
    if (type && !fields.has(select.value)) fields.set(select.value, fieldFor(select.value, type, types));
    return fields.get(select.value);
  };
  const show = () => place.replaceChildren(...[current()?.element].filter(Boolean));
  select.addEventListener("change", show);
  show();
  return {
    element: group(named, [select, place]),
    text: () => (current() ? `{${JSON.stringify(select.value)}:${current().text()}}` : JSON.stringify(select.value)),
    set: (value) => {
      const holds = isObject(value);
      const [name, ...others] = holds ? Object.keys(value) : [value];
      if (others.length > 0 || !cases.has(name) || Boolean(cases.get(name)) !== holds) throw misfit(value);
      select.value = name;
      show();
      if (holds) current().set(value[name]);
    },
  };
}

const nothingField = () => ({
  element: document.createComment("no value"),
  text: () => "null",
  set: (value) => {
    if (value !== null) throw misfit(value);
  },
});

// The kinds of fields, each with the types that it is for. The first one that fits is taken.
const KINDS = [
  [(type) => type.type === "null", nothingField],
  [(type) => type.type === "boolean", booleanField],
  [(type) => type.type === "string" && type.enum, enumField],
  [(type) => type.type === "integer" && type.format, integerField],
  [(type) => type.anyOf?.[0]?.type === "number", floatField],
  [(type) => type.type === "string" && type.contentEncoding === "base64", bytesField],
  [(type) => type.type === "string", stringField],
  [(type) => type.type === "array" && type.uniqueItems, flagsField],
  [(type) => type.type === "array" && type.minItems !== undefined && type.minItems === type.maxItems, tupleField],
  [(type) => type.type === "array", listField],
  [(type) => type.anyOf?.some((part) => part.type === "null"), optionField],
  [(type) => Array.isArray(type.oneOf), variantField],
  [(type) => type.type === "object" && type.properties, recordField],
];

// The name of a type, as WIT has it.
function typeName(schema, type) {
  if (schema.$ref) return schema.$ref.replace("#/$defs/", "");
  if (type.type === "integer") return type.format.replace(/^(u?)int/, (_, unsigned) => (unsigned ? "u" : "s"));
  if (type.anyOf?.[0]?.type === "number") return type.anyOf[0].format === "float" ? "f32" : "f64";
  if (type.type === "array" && !type.uniqueItems) return type.minItems === undefined ? "list" : "tuple";
  return type.maxLength === 1 ? "char" : type.type === "string" && !type.enum ? "string" : "";
}

// The field for the values of a type. Throws for a type that has none.
function fieldFor(label, schema, types) {
  const type = schema.$ref ? types[schema.$ref.replace("#/$defs/", "")] : schema;
  const kind = KINDS.find(([fits]) => fits(type));
  if (!kind) throw new TypeError(`no field for ${JSON.stringify(schema)}`);
  const named = { label, type: typeName(schema, type), docs: schema.description ?? type.description };
  return kind[1](named, type, types);
}
