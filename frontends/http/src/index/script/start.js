// Starts the page.

// Opens the function that the address names.
function openNamed() {
  const article = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = article?.querySelector("details.function");
  if (!details) return;
  details.open = true;
  article.scrollIntoView();
}

document.addEventListener("submit", (event) => {
  event.preventDefault();
  run(event.target);
});
// The event does not bubble, but it can be captured.
document.addEventListener(
  "toggle",
  (event) => {
    if (!event.target.matches("details.function, details.export") || !event.target.open) return;
    prepareForms(event.target);
    drawFunction(event.target.closest("article"));
  },
  true,
);
document.querySelector("[data-partial]")?.addEventListener("keydown", (event) => {
  if (event.key === "Enter") {
    location.search = new URLSearchParams({ prefix: event.target.value.trim().toLowerCase() });
  }
});
window.addEventListener("hashchange", openNamed);
openNamed();
prepareForms(document);
if (document.getElementById("live")) watch();
