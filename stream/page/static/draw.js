// Elements and drawings. Text is set as text, never as HTML; places are percentages, so that a
// drawing fills its column and its words stay readable.

const SVG = "http://www.w3.org/2000/svg";
const PLOT = 120;
const ROW = 24;
const LANE = 46;
const CATEGORIES = 10;
const SPECIAL_WIDTH = 2.6;
const GAP = 0.6;
const NAME_CHARS = 14;
const LEAST_BLOCK = 0.004;

// As stream/printable.py: names are data, and what cannot be seen in one is shown as an escape.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
export function printable(text) {
  return text.replace(UNSEEN, (char, at) => {
    if (char === "\u200d" && /\p{So}[\ufe0f\u{1f3fb}-\u{1f3ff}]*$/u.test(text.slice(0, at)) && /^\p{So}/u.test(text.slice(at + 1))) return char;
    const code = char.codePointAt(0).toString(16);
    return SHORT[char] ?? (code.length <= 2 ? `\\x${code.padStart(2, "0")}` : code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`);
  });
}
const shown = (value) => typeof value === "string" ? printable(value) : value;

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : shown(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined) node.append(shown(child));
  }
  return node;
}

export const el = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
const at = (share) => `${(100 * share).toFixed(2)}%`;

// As detectors/figures.py writes numbers.
export function figure(value) {
  if (value === null || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size < 1e-300) return "0";
  if (size === Infinity) return value > 0 ? "infinite" : "minus infinite";
  if (size >= 1e15 || size < 1e-5) return value.toExponential(2).replace(/\.?0*e\+?/, "×10^");
  return value.toLocaleString("en", size < 999.5 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 });
}
export const percent = (share) => share < 1 && share + 5e-4 >= 1 ? "over 99.9 %" : `${figure(100 * share)} %`;
export const times = (value) => value >= 10 ? `${figure(Math.round(value))}×` : value >= 1 ? `${value.toFixed(1)}×` : `${value.toFixed(2)}×`;
export const minute = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
export const level = (value) => [0.7, 1, 2, 4].filter((step) => value >= step).length;

function day(ms, whole) {
  if (whole < 2 * 864e5) return minute(ms).slice(11);
  const parts = whole < 300 * 864e5 ? { day: "numeric", month: "short" } : { month: "short", year: "numeric" };
  return new Date(ms).toLocaleDateString("en-GB", { ...parts, timeZone: "UTC" });
}

function drawing(kind, name, words, height, ...children) {
  return svg("svg", { class: `chart ${kind}`, role: "img", "aria-label": `${name}. ${words}`, width: "100%", height },
    svg("title", {}, name), svg("desc", {}, words), children);
}

function bar(x, y, width, height, kind, words) {
  return svg("rect", { x: at(x), y, width: at(Math.max(0, width)), height: Math.max(0, height), class: kind },
    words ? svg("title", {}, words) : null);
}

const line = (x1, y1, x2, y2, kind) => svg("line", { x1: at(x1), y1, x2: at(x2), y2, class: kind });
const label = (x, y, text, anchor, kind) => svg("text", { x: at(x), y, "text-anchor": anchor || "start", class: kind || null }, text);

export function meter(value, name) {
  return drawing("meter", name, `${times(value)} its threshold`, 12,
    bar(0, 3, 1, 6, "track"), bar(0, 3, value > 0 ? value / (1 + value) : 0, 6, `level${level(value)}`),
    line(0.5, 0, 0.5, 12, "threshold"));
}

export const named = (model, version) => !version ? model : version.startsWith("v") ? `${model} ${version}` : `${model} v${version}`;
export const binName = (bars, b) => bars.labels.length > b ? bars.labels[b] : `bin ${b + 1}`;

export function histogram(bars, name) {
  const moved = bars.window.map((_, b) => b).sort((a, b) => Math.abs(bars.window[b] - bars.reference[b]) - Math.abs(bars.window[a] - bars.reference[a]));
  const said = moved.slice(0, 3).map((b) => `${binName(bars, b)}: ${percent(bars.reference[b])} before, ${percent(bars.window[b])} now`).join("; ");
  const words = `Share of values in each bin, reference and window. Moved most: ${said}.`;
  return bars.edges.length || !bars.labels.length ? upright(bars, name, words) : lying(bars, name, words, moved);
}

function upright(bars, name, words) {
  const n = bars.window.length;
  const values = bars.edges.length ? Math.min(n, bars.edges.length - 1) : n;
  const units = bars.window.map((_, b) => b < values ? 1 : SPECIAL_WIDTH);
  const total = units.reduce((a, b) => a + b, 0) + (n > values ? GAP : 0);
  const top = Math.max(...bars.reference, ...bars.window, 1e-9);
  const drawn = [line(0, 14, 1, 14, "grid"), line(0, 14 + PLOT / 2, 1, 14 + PLOT / 2, "grid"), label(0, 10, percent(top), "start", "axis")];
  const starts = [];
  let place = 0;
  units.forEach((unit, b) => {
    if (b === values) place += GAP;
    starts.push(place / total);
    const words = `${binName(bars, b)}: ${percent(bars.reference[b])} → ${percent(bars.window[b])}`;
    for (const [shares, inset, kind] of [[bars.reference, 0.07, "ref"], [bars.window, 0.27, "win"]]) {
      const height = PLOT * shares[b] / top;
      drawn.push(bar((place + unit * inset) / total, 14 + PLOT - height, unit * (1 - 2 * inset) / total, height, kind, words));
    }
    if (b >= values) drawn.push(label((place + unit / 2) / total, 30 + PLOT, binName(bars, b), "middle", "axis"));
    place += unit;
  });
  drawn.push(line(0, 14 + PLOT, 1, 14 + PLOT, "base"));
  if (bars.edges.length) {
    const marks = values >= 4 ? [0, 1, 2, 3, 4].map((i) => Math.round(i * values / 4)) : [0, values];
    const ends = [...starts.slice(1, values), starts[values - 1] + 1 / total];
    marks.forEach((mark, i) => {
      const anchor = i === 0 ? "start" : i === marks.length - 1 ? "end" : "middle";
      drawn.push(label(mark === 0 ? starts[0] : ends[mark - 1], 30 + PLOT, figure(bars.edges[mark]), anchor, "axis"));
    });
  }
  return drawing("bars", name, words, PLOT + 38, drawn);
}

function lying(bars, name, words, moved) {
  const shown = moved.slice(0, CATEGORIES).sort((a, b) => bars.reference[b] - bars.reference[a]);
  const top = Math.max(...shown.map((b) => Math.max(bars.reference[b], bars.window[b])), 1e-9);
  const drawn = shown.map((b, row) => {
    const y = row * ROW;
    const [before, now] = [bars.reference[b], bars.window[b]];
    const words = `${binName(bars, b)}: ${percent(before)} → ${percent(now)}`;
    return [bar(0, y + 3, 0.8 * before / top, ROW - 6, "ref", words), bar(0, y + 8, 0.8 * now / top, ROW - 16, "win", words),
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

export function timeline(episodes, start, end, name) {
  const whole = Math.max(1, end - start);
  const where = (ms) => Math.min(1, Math.max(0, (ms - start) / whole));
  const laneOf = (e) => `${named(e.model, e.version)}: ${e.kind.replaceAll("_", " ")}`;
  const lanes = [...new Set(episodes.map(laneOf))].sort().slice(0, 12);
  const drawn = lanes.map((lane, row) => {
    const y = row * LANE;
    const blocks = episodes.filter((e) => laneOf(e) === lane).map((e) => e.course.map(([since, severity], i) => {
      const until = i + 1 < e.course.length ? e.course[i + 1][0] : e.ends || end;
      const x = Math.min(where(since), 1 - LEAST_BLOCK);
      return bar(x, y + 20, Math.max(LEAST_BLOCK, where(until) - x), 14, `sev-${severity}`, `${lane}, ${severity}, from ${minute(since)}`);
    }));
    return [label(0, y + 13, lane), bar(0, y + 20, 1, 14, "track"), blocks];
  });
  const axis = [0, 1, 2, 3].map((i) => label(i / 3, lanes.length * LANE + 12, day(start + whole * i / 3, whole), ["start", "middle", "middle", "end"][i], "axis"));
  const firing = episodes.filter((e) => !e.ends).length;
  return drawing("timeline", name, `${episodes.length} episodes, ${firing} firing now.`, lanes.length * LANE + 16, drawn, axis);
}
