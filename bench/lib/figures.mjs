/** Numbers: medians, tables, bars. */

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function round(number) {
  if (number === null || Number.isNaN(number)) return "–";
  const size = Math.abs(number);
  if (size >= 100) return number.toFixed(0);
  return size >= 10 ? number.toFixed(1) : number.toFixed(2);
}

/** A row of a result: the peers' medians, our ratio to the best of them, the goal. */
export function compare(row) {
  const ours = row.values.oneup?.median;
  const others = Object.entries(row.values).filter(([name]) => name !== "oneup");
  const best = others.reduce((least, [, each]) => Math.min(least, each.median), Number.POSITIVE_INFINITY);
  return {
    ratio:
      ours === undefined || !Number.isFinite(best)
        ? null
        : best === 0
          ? ours === 0
            ? 1
            : null
          : ours / best,
    met: ours === undefined || row.goal === null ? null : ours <= row.goal,
  };
}

/** The table of all rows. */
export function table(rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.values)))];
  const head = ["", "unit", ...names, "oneup / best", "goal", ""];
  const lines = rows.map((row) => {
    const { ratio, met } = compare(row);
    return [
      row.title,
      row.unit,
      ...names.map((name) => (row.values[name] === undefined ? "" : round(row.values[name].median))),
      ratio === null ? "" : `${round(ratio)}×`,
      row.goal === null ? "" : round(row.goal),
      met === null ? "" : met ? "met" : "missed",
    ];
  });
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column].length)));
  const show = (line) =>
    line
      .map((cell, n) => (n < 2 ? cell.padEnd(widths[n]) : cell.padStart(widths[n])))
      .join("  ")
      .trimEnd();
  return [show(head), widths.map((width) => "─".repeat(width)).join("──"), ...lines.map(show)].join("\n");
}

const WIDTH = 46;

/** A bar a peer, for each row. */
export function bars(rows) {
  return rows
    .map((row) => {
      const entries = Object.entries(row.values);
      const most = Math.max(...entries.map(([, each]) => each.median), row.goal ?? 0, Number.MIN_VALUE);
      const wide = Math.max(...entries.map(([name]) => name.length), "goal".length);
      const bar = (number) => "█".repeat(Math.max(number > 0 ? 1 : 0, Math.round((number / most) * WIDTH)));
      const lines = entries.map(
        ([name, each]) =>
          `  ${name.padEnd(wide)} ${bar(each.median)} ${round(each.median)} (${round(each.min)}–${round(each.max)})`,
      );
      if (row.goal !== null)
        lines.push(`  ${"goal".padEnd(wide)} ${"░".repeat(bar(row.goal).length)} ${round(row.goal)}`);
      return `${row.title}, ${row.unit}\n${lines.join("\n")}`;
    })
    .join("\n\n");
}

/** Measured numbers by peer become a row. */
export function row(title, unit, goal, measured) {
  const values = {};
  for (const [name, numbers] of measured) {
    if (numbers.length === 0) continue;
    values[name] = {
      median: median(numbers),
      min: Math.min(...numbers),
      max: Math.max(...numbers),
      runs: numbers.length,
    };
  }
  return { title, unit, goal, values };
}

/**
 * Measures each peer `runs` times, interleaved, so that what else the machine does meets all of
 * them alike; every other round goes backwards. A peer that fails is left out with a word.
 */
export async function interleave(peers, runs, measure) {
  const measured = new Map(peers.map((peer) => [peer.name, []]));
  const out = new Set();
  for (let run = 0; run < runs; run++) {
    for (const peer of run % 2 === 0 ? peers : [...peers].reverse()) {
      if (out.has(peer.name)) continue;
      try {
        measured.get(peer.name).push(await measure(peer));
      } catch (error) {
        out.add(peer.name);
        console.error(`${peer.name} is left out here: ${error.message}`);
      }
    }
  }
  return measured;
}
