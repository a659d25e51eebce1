// What the server has counted between two looks: rates, and the times that shares of the calls took at most.

// The difference of two counts. A server that was started anew has counted from zero.
function since(before, now) {
  const isAnew = now.calls < before.calls || now.failures < before.failures;
  const old = isAnew ? { calls: 0, failures: 0, buckets: [] } : before;
  const buckets = now.buckets?.map((count, index) => count - (old.buckets[index] ?? 0));
  return { calls: now.calls - old.calls, failures: now.failures - old.failures, buckets };
}

// The time in seconds that this share of the calls took at most. Calls count as spread evenly over their bucket. Null
// without calls, and infinite for a time beyond all bounds.
function quantile(bounds, buckets, share) {
  const all = buckets.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  let rank = share * all;
  const index = buckets.findIndex((count) => {
    if (count >= rank && count > 0) return true;
    rank -= count;
    return false;
  });
  if (index < 0 || index >= bounds.length) return Infinity;
  const below = bounds[index - 1] ?? 0;
  return below + (bounds[index] - below) * (rank / buckets[index]);
}

const NONE = { calls: 0, failures: 0, buckets: [], versions: [] };

// The last samples of one function, or of the server.
class Series {
  samples = [];

  // Adds the sample between two looks, so many seconds apart.
  add(before, now, seconds, bounds) {
    const { calls, failures, buckets } = since(before, now);
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => quantile(bounds, buckets, share));
    this.samples.push({ calls: calls / seconds, failures: failures / seconds, p50, p95, p99 });
    this.samples.splice(0, this.samples.length - PLOT.points);
  }

  last() {
    return this.samples.at(-1);
  }

  values(name) {
    return this.samples.map((sample) => sample[name]);
  }
}
