// What an application does when it starts: it makes tables and compiles templates.
const words = new Map();
const syllables = ["bo", "ce", "di", "fi", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu"];
for (const first of syllables)
  for (const second of syllables)
    for (const third of syllables) words.set(first + second + third, words.size);
const template = (text) => {
  const parts = text.split(/\{(\w+)\}/);
  return (values) => parts.map((part, index) => (index % 2 ? values[part] : part)).join("");
};
const answer = template("{word} is word {number} of {count}\n");

function handle(event) {
  const word = event.trim();
  const number = words.get(word);
  if (number === undefined) throw new Error(`${word} is no word`);
  return answer({ word, number, count: words.size });
}
