// Elements, the filter of lists, and the keys of every page.

// An element with these properties and children. A text among the children is always text, and never markup.
const element = (name, properties = {}, children = []) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

// Hides the entries of a list whose names do not contain the text that is typed.
function filter(field) {
  const wanted = field.value.trim().toLowerCase();
  for (const entry of document.querySelectorAll(field.dataset.filter)) {
    entry.hidden = !(entry.dataset.name ?? entry.id).includes(wanted);
  }
}

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-filter]")) filter(event.target);
});

document.addEventListener("keydown", (event) => {
  const field = document.querySelector("[data-filter]");
  const writes = event.target.matches("input, textarea, select");
  if (event.key === "/" && field && !writes && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    field.focus();
  } else if (event.key === "Escape" && event.target === field) {
    field.value = "";
    filter(field);
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("textarea")) {
    event.target.form?.requestSubmit();
  }
});

// Calls `look` now and after each pause, in milliseconds, as long as the page is visible.
function whileVisible(pause, look) {
  let timer;
  let looking = false;
  const next = async () => {
    if (looking) return;
    clearTimeout(timer);
    looking = true;
    await look();
    looking = false;
    if (document.visibilityState === "visible") timer = setTimeout(next, pause);
  };
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") next();
  });
  next();
  return next;
}
