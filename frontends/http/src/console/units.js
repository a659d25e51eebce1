// Numbers as people read them.

const number = (value) => value.toLocaleString("en", { maximumFractionDigits: value >= 10 ? 0 : 1 });

// A time in seconds. A time beyond all bounds of a histogram is infinite.
function duration(seconds) {
  if (seconds === null) return "–";
  if (seconds === Infinity) return "> 30 s";
  if (seconds < 0.001) return `${number(seconds * 1e6)} µs`;
  return seconds < 1 ? `${number(seconds * 1e3)} ms` : `${number(seconds)} s`;
}

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${number(bytes)} ${units[unit]}`;
}
