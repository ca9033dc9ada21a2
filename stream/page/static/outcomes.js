// How right a model is: a table, and what came by score as stream/report/reliability.py draws it.

import { bar, drawing, el, label, line, named, percent, printable } from "./draw.js";
import { arrows, key, table } from "./parts.js";

const PLOT = 120;
const TOP = 14;
const BASE = TOP + PLOT;
const HEADS = [["metric", null], ["now", "figure"], ["95 % interval", "figure wide"], ["reference", "figure"], ["estimated", "figure wide"]];
const ESTIMATED = "Estimated is of all events of the window, from their scores alone: right if the truth follows the score as in the reference.";

const said = ({ name, reference, window, low, high }) => `${name}: ${reference === null ? "–" : percent(reference)} → ${window === null ? "no event" : `${percent(window)} (${percent(low)} to ${percent(high)})`}`;

function reliability({ what, scores, marks }, name) {
  const top = Math.max(...scores.flatMap((score) => [score.reference ?? 0, score.high ?? 0]), 1e-9);
  const width = 1 / scores.length;
  const height = (share) => PLOT * share / top;
  const drawn = [line(0, TOP, 1, TOP, "grid"), line(0, TOP + PLOT / 2, 1, TOP + PLOT / 2, "grid"), label(0, 10, percent(top), "start", "axis")];
  scores.forEach((score, at) => {
    for (const [share, inset, kind] of [[score.reference, 0.07, "ref"], [score.window, 0.27, "win"]]) {
      if (share !== null) drawn.push(bar((at + inset) * width, BASE - height(share), (1 - 2 * inset) * width, height(share), kind, said(score)));
    }
    if (score.low !== null) drawn.push(line((at + 0.5) * width, BASE - height(score.low), (at + 0.5) * width, BASE - height(score.high), "tick"));
  });
  drawn.push(line(0, BASE, 1, BASE, "base"));
  const every = Math.max(1, Math.floor(marks.length / 4));
  marks.forEach((mark, i) => {
    if ((i + 1) % every === 0) drawn.push(label((i + 1) * width, BASE + 16, mark, "middle", "axis"));
  });
  return drawing("bars reliability", name, `Share of events whose truth ${what}, by score from low to high, reference and window. ${scores.map(said).join("; ")}.`, PLOT + 38, drawn);
}

const FAIRNESS_HEADS = [["value", null], ["now", "figure"], ["95 % interval", "figure wide"], ["reference", "figure"], ["events", "figure wide"]];

// How far values are apart is read first; a combination of columns has too many rates to stand open.
function fairnessOf({ column, rows, notes }) {
  const grouped = rows.flatMap((row, i) => [...(i && rows[i - 1].rate === row.rate ? [] : [{ group: row.rate }]), { cells: [row.value, row.now, row.interval || "–", row.reference || "–", row.events] }]);
  return [
    el("h3", {}, `Fairness by ${printable(column)}`),
    el("ul", {}, notes.map((note) => el("li", {}, arrows(note)))),
    el("details", { "data-name": `fairness-${column}` }, el("summary", {}, `Rates by value of ${printable(column)}`),
      table(`Fairness: rates by value of ${printable(column)}, over the same time for all`, FAIRNESS_HEADS, grouped))];
}

export function outcomes({ model, version, of, fairness }) {
  const name = named(model, version);
  document.getElementById("outcomes-title").textContent = printable(`Outcomes of ${name}`);
  const rows = of.rows.map((row) => ({ cells: [row.name, row.now || "–", row.interval || "–", row.reference || "–", row.estimated || "–"] }));
  const words = of.reliability ? `Share of events whose truth ${of.reliability.what}, by score` : "";
  return [
    el("p", { class: "meta" }, of.lead),
    table(`Metrics of the last full window beside the reference’s. ${ESTIMATED}`, HEADS, rows),
    of.reliability ? el("figure", { class: "panel" }, el("figcaption", {}, words), reliability(of.reliability, `${words}: ${name}`), key()) : null,
    ...fairness.flatMap(fairnessOf)];
}
