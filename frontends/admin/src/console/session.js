// The operator's token. It is kept for this tab only, and sent to this server only.

const TOKEN = "nebula-token";

// A failure of a request, with its status.
class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// The JSON that the API answers.
async function ask(path) {
  const response = await fetch(path, { headers: { authorization: `Bearer ${sessionStorage.getItem(TOKEN)}` } });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer.detail ?? `status ${response.status}`);
  return answer;
}

// Says what does not work, or that everything does.
function tell(message) {
  const note = document.getElementById("note");
  note.textContent = message ?? "";
  note.hidden = !message;
}

// Shows the console, or the form that asks for a token.
function show(isSignedIn) {
  for (const id of ["session", "hint"]) document.getElementById(id).hidden = isSignedIn;
  for (const id of ["shown", "leave"]) document.getElementById(id).hidden = !isSignedIn;
}

const isSignedIn = () => sessionStorage.getItem(TOKEN) !== null;

function leave() {
  sessionStorage.removeItem(TOKEN);
  location.reload();
}

// Says why a request failed. A refused token is forgotten.
function complain(error) {
  tell(error instanceof Refused ? error.message : `The server did not answer: ${error.message}`);
  if (error.status !== 401) return;
  sessionStorage.removeItem(TOKEN);
  show(false);
  document.getElementById("token").focus();
}
