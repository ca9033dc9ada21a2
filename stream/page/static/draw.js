// Elements and drawings. Text is set as text, never as HTML; places are percentages, so that a
// drawing fills its column and its words stay readable.

const SVG = "http://www.w3.org/2000/svg";
const LANE = 46;
const LEAST_BLOCK = 0.004;

// As stream/text/printable.py: names are data, and what cannot be seen in one is shown as an escape.
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
export const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
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
// As stream/report/words.py: 1.0× only if the threshold is reached.
export const times = (value) => value >= 10 ? `${figure(Math.round(value))}×` : value >= 1 ? `${value.toFixed(1)}×` : `${Math.min(value, 0.99).toFixed(2)}×`;
// As stream/text/counted.py.
export const counted = (n, one, several) => `${figure(n)} ${n === 1 ? one : several ?? `${one}s`}`;
export const minute = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
export const level = (value) => [0.7, 1, 2, 4].filter((step) => value >= step).length;

export function day(ms, whole) {
  if (whole < 864e5) return minute(ms).slice(11);
  if (whole < 5 * 864e5) return `${new Date(ms).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" })} ${minute(ms).slice(11)}`;
  const parts = whole < 300 * 864e5 ? { day: "numeric", month: "short" } : { month: "short", year: "numeric" };
  return new Date(ms).toLocaleDateString("en-GB", { ...parts, timeZone: "UTC" });
}

export function drawing(kind, name, words, height, ...children) {
  return svg("svg", { class: `chart ${kind}`, role: "img", "aria-label": `${name}. ${words}`, width: "100%", height },
    svg("title", {}, name), svg("desc", {}, words), children);
}

export function bar(x, y, width, height, kind, words) {
  return svg("rect", { x: at(x), y, width: at(Math.max(0, width)), height: Math.max(0, height), class: kind },
    words ? svg("title", {}, words) : null);
}

export const line = (x1, y1, x2, y2, kind) => svg("line", { x1: at(x1), y1, x2: at(x2), y2, class: kind });
export const label = (x, y, text, anchor, kind) => svg("text", { x: at(x), y, "text-anchor": anchor || "start", class: kind || null }, text);

// The scale of ratios to a threshold is logarithmic, from 0.5× to 20×.
const MARKS = [1, 2, 5, 10];
const placeOf = (value) => value <= 0.5 ? 0 : Math.min(1, Math.log(value / 0.5) / Math.log(40));

export function ratioScale() {
  return drawing("scale", "Scale", MARKS.map((mark) => `${mark}×`).join(" "), 13,
    MARKS.map((mark) => label(placeOf(mark), 11, `${mark}×`, "middle", `axis m${mark}`)));
}

export function meter(value, name, labelled) {
  const marks = MARKS.map((mark) => line(placeOf(mark), mark === 1 ? 1 : 3, placeOf(mark), mark === 1 ? 11 : 9, mark === 1 ? "threshold" : "notch"));
  const texts = labelled ? MARKS.map((mark) => label(placeOf(mark), 23, `${mark}×`, "middle", "axis")) : [];
  return drawing("meter", name, `${times(value)} its threshold`, labelled ? 26 : 12,
    bar(0, 3, 1, 6, "track"), bar(0, 3, value > 0 ? Math.max(0.02, placeOf(value)) : 0, 6, `level${level(value)}`), marks, texts);
}

// A course through points of a square of 100, drawn over the whole width.
export const stretched = (points, y, height, kind) => svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", width: "100%", height, y },
  svg("polyline", { points: points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(" "), class: kind, "vector-effect": "non-scaling-stroke" }));

export const named = (model, version) => !version ? model : version.startsWith("v") ? `${model} ${version}` : `${model} v${version}`;
export function timeline(episodes, start, end, name) {
  const whole = Math.max(1, end - start);
  const where = (ms) => Math.min(1, Math.max(0, (ms - start) / whole));
  const laneOf = (e) => `${named(e.model, e.version)}: ${e.kind.replaceAll("_", " ")}`;
  const lanes = [...new Set(episodes.map(laneOf))].sort();
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
  return drawing("timeline", name, `${counted(episodes.length, "episode")}, ${firing} firing now.`, lanes.length * LANE + 16, drawn, axis);
}
