// The page of one signal: how it went, then and now, where it drifts, and its episodes.

import { bar, counted, day, el, figure, label, level, line, meter, minute, named, percent, printable, ratioScale, stretched, svg, times } from "./draw.js";
import { histogram } from "./histograms.js";
import { arrows, badge, drift, episodes, facts, follow, key, leftOut, missing, numbers, PRIVATE, section, signalAddress, table, tested, testName } from "./parts.js";

const HEIGHT = 110;
const $ = (id) => document.getElementById(id);
const wanted = new URLSearchParams(location.search);
const asked = Object.fromEntries(["model", "version", "signal"].map((name) => [name, wanted.get(name) || ""]));

const ABOUT = {
  "Mean rank": "Where the values are among those of the reference: 50 % is as usual, more is higher.",
  "Mean rank of names": "Names ranked from the reference’s most frequent to its rarest: 50 % is as usual, more is rarer.",
  "Accuracy": "Share of predictions that were right, of those whose truth is known.",
  "Rank spread": "How far from the reference’s median they are: 50 % is as usual, more is wider.",
  "New names": "Share of names that the reference does not have.",
  "Where the reference has none": "Share of values in ranges where the reference has none.",
  "Missing": "Share of events without a value.",
  "Wrong type": "Share of values of a wrong type.",
};

const BY_HOUR = "What is usual goes by the hour, so no one value stands beside a rank.";

// Of outcomes, fairness, limits and the pipeline: what episodes are about, and no column of events.
const apart = (state) => !state.found && state.episodes.length > 0 && state.others.length > 0;

function head(state) {
  const name = named(state.model, state.version);
  const row = state.signal;
  $("headline").replaceChildren(printable(state.name), ...(row ? [" ", badge(times(row.ratio), `level${level(row.ratio)}`)] : []));
  $("of").textContent = printable(`A signal of ${name}`);
  $("back").href = `./?${new URLSearchParams({ model: state.model, version: state.version })}#signals`;
  $("back").textContent = printable(name);
  document.title = printable(`${state.name} · ${name} · driftstream`);
  $("version").textContent = state.driftstream;
  const open = state.episodes.filter((each) => !each.ends).length;
  facts([
    ["Worst test", row ? times(row.ratio) : "–", row ? tested(row) : apart(state) ? "its episodes tell" : "nothing was tested yet"],
    ["Missing", row && row.missing !== null ? percent(row.missing) : "–", row ? `usually ${percent(row.missingBefore)}` : null],
    ["Episodes", figure(open), "firing that name it"],
    ["Window", state.events ? figure(state.events) : "–", state.events ? `events to ${minute(state.ends)} UTC${state.idle ? "; none for a while" : ""}` : apart(state) ? "it has none of its own" : "none is full yet"],
  ]);
}

// Steps over stretches of time, with the scale written beside them.
function course({ course, starts, ends, spans }, name) {
  const [from, to] = [starts[0], ends[ends.length - 1]];
  const whole = Math.max(1, to - from);
  const x = (ms) => Math.min(1, Math.max(0, (ms - from) / whole));
  const y = (value) => 1 - (value - course.low) / Math.max(1e-12, course.high - course.low);
  const lines = [];
  let run = [];
  course.values.forEach((value, i) => {
    if (value === null) { if (run.length) lines.push(run); run = []; return; }
    run.push([100 * x(starts[i]), 100 * y(value)], [100 * x(ends[i]), 100 * y(value)]);
  });
  if (run.length) lines.push(run);
  const there = course.values.filter((value) => value !== null);
  const last = there[there.length - 1];
  const words = there.length ? `${counted(there.length, "stretch", "stretches")} from ${minute(from)} to ${minute(to)} UTC; ${percent(Math.min(...there))} to ${percent(Math.max(...there))}, ${percent(last)} in the last. ${percent(course.usual)} in the reference.` : "No values.";
  const plot = [
    spans.map(([since, until]) => bar(x(since), 0, Math.max(0.003, x(until) - x(since)), HEIGHT, "band")),
    course.ticks.map(([value]) => line(0, HEIGHT * y(value), 1, HEIGHT * y(value), "grid")),
    line(0, HEIGHT * y(course.usual), 1, HEIGHT * y(course.usual), "threshold"),
    lines.map((points) => stretched(points, 0, HEIGHT, "course")),
    line(0, HEIGHT, 1, HEIGHT, "base"),
    [0, 1, 2, 3].map((i) => label(i / 3, HEIGHT + 16, day(from + whole * i / 3, whole), ["start", "middle", "middle", "end"][i], i % 3 ? "axis mid" : "axis")),
  ];
  const scale = course.ticks.map(([value, text]) => svg("text", { x: "100%", y: Math.min(HEIGHT, Math.max(10, HEIGHT * y(value) + 4)), "text-anchor": "end", class: "axis" }, text));
  const part = (children) => svg("svg", { width: "100%", height: HEIGHT + 20, "aria-hidden": "true" }, children);
  return el("div", { class: "chart beside trend", role: "img", "aria-label": `${course.name} of ${name}. ${words}` }, part(scale), part(plot));
}

function trend({ trend, name, spans, hidden }) {
  const { starts, ends, events } = trend;
  const rows = starts.map((start, i) => ({ cells: [`${minute(start)} to ${minute(ends[i]).slice(11)}`, figure(events[i]), ...trend.courses.map((each) => each.values[i] === null ? "–" : percent(each.values[i]))] }));
  const heads = [["time (UTC)", null], ["events", "figure"], ...trend.courses.map((each) => [each.name.toLowerCase(), "figure"])];
  return [hidden ? el("p", { class: "meta" }, hidden) : null, el("div", { class: "cards" }, trend.courses.map((each) => el("figure", { class: "panel" },
    el("figcaption", {}, el("strong", {}, each.name), ` · ${ABOUT[each.name]}`), course({ course: each, starts, ends, spans }, name)))),
    el("p", { class: "key" }, el("span", {}, el("span", { class: "dash", "aria-hidden": "true" }), "reference"), el("span", {}, el("span", { class: "swatch span", "aria-hidden": "true" }), "an episode that names it is open")),
    el("details", { "data-name": "trend" }, el("summary", {}, "Numbers"), table(`${name} over time`, heads, rows))];
}

function now({ row, name }) {
  return [key(), el("div", { class: "panel" }, meter(row.ratio, name, true),
    row.change ? el("p", {}, arrows(row.change)) : null,
    row.bars ? el("figure", {}, histogram(row.bars, `Distribution of ${name}`), numbers(row)) : el("p", { class: "meta" }, "No full window yet to draw."))];
}

function segments({ rows, more }) {
  const heads = [["segment", null], [["drift ", ratioScale], "drift"], ["test", null], ["events", "figure wide"]];
  return [table("Worst test of this signal in the last full window of each segment", heads,
    rows.map((row) => ({ cells: [row.segment, drift(row.ratio, row.segment), testName(row.test), figure(row.events)] }))), leftOut(more, "quieter segment")];
}

function show(state) {
  head(state);
  const { name, trend: course, alertsUnread, alertsLost } = state;
  const topic = { alertsUnread, alertsLost };
  const unknown = !state.found && !state.episodes.length;
  section("unknown", unknown ? { name, state: state.others.length } : null, ({ state: others }) => [el("p", {}, others ? "The model has no such signal." : "Nothing is known of this model here: it may be on another worker, learning, or idle.")]);
  section("apart", apart(state) ? { model: state.model, version: state.version } : null, (of) => [el("p", {}, "No column of the events: its episodes say what was found. How right and how fair the model is stands under ", el("a", { href: `./?${new URLSearchParams(of)}#outcomes`, id: "to-outcomes" }, "outcomes"), ".")]);
  const spans = course ? state.episodes.map((row) => [row.starts, row.ends || course.ends[course.ends.length - 1]]) : [];
  section("trend", course ? { trend: course, name, spans, hidden: state.private ? PRIVATE : state.byHour ? BY_HOUR : null } : null, trend);
  section("now", state.signal ? { row: state.signal, name } : null, now);
  section("segments", state.segments.length ? { rows: state.segments, more: state.moreSegments } : null, segments);
  section("episodes", state.episodes.length || missing(topic).length ? { rows: state.episodes, topic } : null, ({ rows }) => [...missing(topic), rows.length ? episodes(rows, state.time, name) : el("p", { class: "lead" }, "None yet.")]);
  section("related", state.related.length ? state.related : null, (rows) => [episodes(rows, state.time, name)]);
  section("others", state.others.length ? { names: state.others, more: state.moreOthers } : null, ({ names, more }) => [el("p", { class: "links" }, names.flatMap((each, i) => [i ? ", " : null, el("a", { href: signalAddress(state.model, state.version, each), id: `other-${each}` }, each)])), leftOut(more, "other signal")]);
}

follow(`api/v1/signal?${new URLSearchParams(asked)}`, show);
