// Starts the page.

async function enter() {
  try {
    await addFunctions();
    tell(null);
    show(true);
    restart();
  } catch (error) {
    complain(error);
  }
}

document.getElementById("session").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = document.getElementById("token");
  sessionStorage.setItem(TOKEN, field.value.trim());
  field.value = "";
  enter();
});
document.getElementById("leave").addEventListener("click", leave);
document.getElementById("wanted").addEventListener("change", restart);
document.getElementById("failed").addEventListener("change", restart);
document.getElementById("pause").addEventListener("click", ({ target }) => {
  state.paused = !state.paused;
  target.ariaPressed = String(state.paused);
  target.textContent = state.paused ? "Go on" : "Pause";
  refresh();
});
if (isSignedIn()) enter();
whileVisible(PAUSE, refresh);
