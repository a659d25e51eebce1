// JSON whose numbers keep all of their digits: a 64-bit integer has more than a number of JavaScript.

const keeping = (_, value, context) =>
  typeof value === "number" && context && JSON.rawJSON && String(value) !== context.source
    ? JSON.rawJSON(context.source)
    : value;

const parseJson = (text) => JSON.parse(text, keeping);

// The text on several lines. It stays as it is if it is no JSON, or if this browser would lose digits of its numbers.
function prettyJson(text) {
  if (!JSON.rawJSON) return text;
  try {
    return JSON.stringify(parseJson(text), null, 2);
  } catch {
    return text;
  }
}

// The digits of a number that was parsed.
const digits = (value) => (JSON.isRawJSON?.(value) ? value.rawJSON : value);
