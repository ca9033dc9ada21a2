// Histograms, reference and window on one axis: as stream/report/histograms.py draws them.

import { bar, drawing, el, figure, label, line, percent, stretched, svg } from "./draw.js";

const PLOT = 120;
const TOP = 14;
const BASE = TOP + PLOT;
const ROW = 24;
const CATEGORIES = 10;
const SPECIAL_WIDTH = 2.6;
const GAP = 0.6;
const NAME_CHARS = 14;

export const binName = (bars, b) => bars.labels.length > b ? bars.labels[b] : `bin ${b + 1}`;
const byMove = (bars) => bars.window.map((_, b) => b).sort((a, b) => Math.abs(bars.window[b] - bars.reference[b]) - Math.abs(bars.window[a] - bars.reference[a]));
const movedMost = (bars) => byMove(bars).slice(0, 3).map((b) => `${binName(bars, b)}: ${percent(bars.reference[b])} before, ${percent(bars.window[b])} now`).join("; ");

export function histogram(bars, name) {
  if (bars.shape) return density(bars.shape, name, movedMost(bars));
  return bars.edges.length || !bars.labels.length ? equalBins(bars, name) : lying(bars, name);
}

// A box's area is its share: its height is its share over its width.
function density(shape, name, moved) {
  const drawn = [line(0, TOP, 1, TOP, "grid"), line(0, TOP + PLOT / 2, 1, TOP + PLOT / 2, "grid"),
    label(0, 10, `${percent(shape.top * shape.bar)} a bar`, "start", "axis"),
    shape.scale === "log" ? label(shape.end, 10, "logarithmic scale", "end", "axis") : null];
  for (const [kind, of] of [["ref", "reference"], ["win", "window"]]) {
    for (const box of shape.boxes) {
      const height = PLOT * box[of] / box.width / shape.top;
      drawn.push(bar(box.x, BASE - height, box.width, height, kind, `${box.name}: ${percent(box.reference)} → ${percent(box.window)}`));
    }
  }
  const beside = shape.boxes.filter((box) => box.beside);
  for (const part of [shape.boxes.filter((box) => !box.beside), ...beside.map((box) => [box])]) {
    drawn.push(stretched(outline(part, shape.top), TOP, PLOT, "outline"));
  }
  drawn.push(line(shape.start, BASE, shape.end, BASE, "base"));
  for (const { x, text } of shape.marks) {
    drawn.push(line(x, BASE, x, BASE + 4, "base"), label(x, BASE + 16, text, x < 0.03 ? "start" : x > 0.97 ? "end" : "middle", "axis"));
  }
  const rights = beside.filter((box) => box.x > shape.start);
  for (const box of beside) {
    const last = box === rights[rights.length - 1];
    const [at, anchor] = last ? [1, "end"] : box.x ? [box.x + box.width / 2, "middle"] : [0, "start"];
    // Names of neighbours are written on different lines, as they are longer than wide.
    const row = rights.includes(box) ? (rights.length - rights.indexOf(box)) % 2 : 0;
    drawn.push(line(box.x, BASE, box.x + box.width, BASE, "base"), label(at, BASE + (row ? 16 : 30), box.name, anchor, "axis"));
  }
  const axis = shape.scale === "log" ? "a logarithmic axis" : "a true axis";
  return drawing("bars density", name, `How dense the values are on ${axis}, reference and window. Moved most: ${moved}.`, BASE + 36, drawn.filter(Boolean));
}

function outline(boxes, top) {
  const last = boxes[boxes.length - 1];
  const points = boxes.flatMap((box) => [box.x, box.x + box.width].map((x) => [x, box.window / box.width / top]));
  return [[boxes[0].x, 0], ...points, [last.x + last.width, 0]].map(([x, y]) => [100 * x, 100 * (1 - y)]);
}

// Bins of about equal weight side by side; so the axis is not even.
export function equalBins(bars, name) {
  const words = `Share of values in bins of about equal weight, reference and window. Moved most: ${movedMost(bars)}.`;
  const n = bars.window.length;
  const values = bars.edges.length ? Math.min(n, bars.edges.length - 1) : n;
  const units = bars.window.map((_, b) => b < values ? 1 : SPECIAL_WIDTH);
  const total = units.reduce((a, b) => a + b, 0) + (n > values ? GAP : 0);
  const top = Math.max(...bars.reference, ...bars.window, 1e-9);
  const drawn = [line(0, TOP, 1, TOP, "grid"), line(0, TOP + PLOT / 2, 1, TOP + PLOT / 2, "grid"), label(0, 10, percent(top), "start", "axis")];
  const starts = [];
  let place = 0;
  units.forEach((unit, b) => {
    if (b === values) place += GAP;
    starts.push(place / total);
    const words = `${binName(bars, b)}: ${percent(bars.reference[b])} → ${percent(bars.window[b])}`;
    for (const [shares, inset, kind] of [[bars.reference, 0.07, "ref"], [bars.window, 0.27, "win"]]) {
      const height = PLOT * shares[b] / top;
      drawn.push(bar((place + unit * inset) / total, BASE - height, unit * (1 - 2 * inset) / total, height, kind, words));
    }
    if (b >= values) drawn.push(label((place + unit / 2) / total, BASE + 16, binName(bars, b), "middle", "axis"));
    place += unit;
  });
  drawn.push(line(0, BASE, 1, BASE, "base"));
  if (bars.edges.length) {
    const marks = values >= 4 ? [0, 1, 2, 3, 4].map((i) => Math.round(i * values / 4)) : [0, values];
    const ends = [...starts.slice(1, values), starts[values - 1] + 1 / total];
    marks.forEach((mark, i) => {
      const anchor = i === 0 ? "start" : i === marks.length - 1 ? "end" : "middle";
      drawn.push(label(mark === 0 ? starts[0] : ends[mark - 1], BASE + 16, figure(bars.edges[mark]), anchor, "axis"));
    });
  }
  return drawing("bars", name, words, PLOT + 38, drawn);
}

function lying(bars, name) {
  const words = `Share of values in each bin, reference and window. Moved most: ${movedMost(bars)}.`;
  const special = bars.window.map((_, b) => b).slice(bars.special);
  const own = byMove(bars).filter((b) => b < bars.special).slice(0, CATEGORIES - special.length);
  const shown = [...own.sort((a, b) => bars.reference[b] - bars.reference[a]), ...special];
  const top = Math.max(...shown.map((b) => Math.max(bars.reference[b], bars.window[b])), 1e-9);
  const drawn = shown.map((b, row) => {
    const y = row * ROW;
    const [before, now] = [bars.reference[b], bars.window[b]];
    const said = `${binName(bars, b)}: ${percent(before)} → ${percent(now)}`;
    return [bar(0, y + 3, 0.8 * before / top, ROW - 6, "ref", said), bar(0, y + 8, 0.8 * now / top, ROW - 16, "win", said),
      label(1, y + 16, percent(now), "end", "axis")];
  });
  const names = shown.map((b, row) => {
    const whole = binName(bars, b);
    const short = whole.length <= NAME_CHARS ? whole : `${whole.slice(0, NAME_CHARS - 1)}…`;
    return svg("text", { x: "100%", y: row * ROW + ROW / 2 + 4, "text-anchor": "end" }, svg("title", {}, whole), short);
  });
  const height = shown.length * ROW + 2;
  const part = (children) => svg("svg", { width: "100%", height, "aria-hidden": "true" }, children);
  return el("div", { class: "chart beside bars", role: "img", "aria-label": `${name}. ${words}` },
    part(names), part([drawn, line(0, 0, 0, shown.length * ROW, "base")]));
}
