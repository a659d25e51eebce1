// The functions, in pages.

const aliasText = ([alias, { weights }]) => {
  const versions = Object.entries(weights);
  const shares = versions.map(([version, weight]) => (versions.length === 1 ? version : `${version}=${weight}`));
  return `${alias}: ${shares.join(" ")}`;
};

const cell = (content, className = "") => element("td", { className }, [content]);

// A row whose name selects the function's invocations.
function functionRow({ name, version, targets, kind, size: bytes, error }) {
  const button = element("button", { type: "button", className: "link", textContent: name });
  button.addEventListener("click", () => select(name));
  const heading = element("th", { scope: "row" }, [button]);
  const cells = error
    ? [element("td", { colSpan: 4, className: "failed", textContent: "It cannot be read." })]
    : [
        cell(String(version)),
        cell(Object.entries(targets ?? {}).map(aliasText).join(", ")),
        cell(kind, "wide"),
        cell(size(bytes), "wide"),
      ];
  const row = element("tr", {}, [heading, ...cells]);
  row.dataset.name = name;
  return row;
}

// Adds the page of functions behind a name.
async function addFunctions(after) {
  const { functions, next } = await ask(`functions?limit=100${after ? `&after=${after}` : ""}`);
  document.querySelector("#functions tbody").append(...functions.map(functionRow));
  document.getElementById("names").append(...functions.map(({ name }) => new Option(name)));
  filter(document.getElementById("filter"));
  const more = document.getElementById("more");
  more.hidden = !next;
  more.onclick = () => addFunctions(next).catch(complain);
}
