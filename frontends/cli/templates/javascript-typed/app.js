export function greet({ name, age }) {
  if (name === '') throw 'a person has a name';
  return `Hello, ${name} of ${age} years!`;
}
