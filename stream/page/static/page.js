// Asks the worker for its state every few seconds and draws what changed.

import { el, figure, level, meter, minute, named, percent, printable, ratioScale, timeline, times } from "./draw.js";
import { binName, equalBins, histogram } from "./histograms.js";

const EVERY_MS = 5000;
const SHOWN_EPISODES = 4;
const HOUR_MS = 3600000;
const $ = (id) => document.getElementById(id);
const wanted = new URLSearchParams(location.search);
const drawn = new Map();
let paused = false;
let failures = 0;

const words = (name) => name.replaceAll("_", " ");
const counted = (n, one) => `${figure(n)} ${one}${n === 1 ? "" : "s"}`;
const arrows = (text) => text.replaceAll("->", "→");
const badge = (text, kind) => el("span", { class: `badge ${kind}` }, text);

const TESTS = { psi: "PSI", name_share: "a name’s share", adwin: "ADWIN", edetector: "e-detector", missing_rate: "missing", invalid_rate: "wrong type", unseen_rate: "unseen", range_rate: "out of range", kl: "KL", js: "JS", ks: "KS", chi2: "chi²", g: "G" };
const testName = (test) => TESTS[test] || words(test);

function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${seconds} s`;
}

function table(caption, heads, rows) {
  const head = heads.map(([text, kind]) => el("th", { scope: "col", class: kind }, Array.isArray(text) ? text.map((part) => typeof part === "function" ? part() : part) : text));
  const body = rows.map(({ cells, current }) => el("tr", { "aria-current": current ? "true" : null },
    cells.map((cell, i) => el(i ? "td" : "th", { class: heads[i][1], scope: i ? null : "row" }, cell))));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)));
}

// Redraws a section only if what it shows has changed, so that focus and open details stay.
function section(id, data, make) {
  const place = $(id);
  place.hidden = !data;
  const text = JSON.stringify(data);
  if (!data || drawn.get(id) === text) return;
  drawn.set(id, text);
  const fill = place.querySelector(".fill");
  const open = new Set([...fill.querySelectorAll("details[open]")].map((d) => d.dataset.name));
  const focused = document.activeElement && fill.contains(document.activeElement) ? document.activeElement.id : "";
  fill.replaceChildren(...[make(data)].flat());
  for (const details of fill.querySelectorAll("details")) details.open = open.has(details.dataset.name);
  if (focused && $(focused)) $(focused).focus();
}

function facts(rows) {
  $("facts").replaceChildren(...rows.map(([name, value, note]) => el("div", {}, el("dt", {}, name), el("dd", { class: "value" }, value), note ? el("dd", { class: "note" }, note) : null)));
}

function head(state) {
  const firing = state.models.reduce((n, m) => n + m.firing.length, 0);
  const worst = state.models.length ? state.models[0].severity : "";
  const kinds = `${counted(firing, "episode")} ${firing === 1 ? "is" : "are"} firing`;
  const nothing = state.stage === "summarise" ? "This worker only counts; others judge" : "No model has sent events yet";
  const headline = !state.models.length && !state.moreModels ? nothing : firing ? kinds : "All quiet";
  const made = [headline, ...(worst ? [" ", badge(worst, `sev-${worst}`)] : [])];
  if ($("headline").textContent !== made.map((part) => part.textContent || part).join("")) $("headline").replaceChildren(...made);
  document.title = firing ? `(${firing}) driftstream` : "driftstream";
  $("version").textContent = state.driftstream;
  const watched = state.models.length + state.moreModels;
  facts([
    ["Worker", state.ready ? "ready" : "not ready", state.words],
    ["Models", figure(watched), state.stage === "all" ? "on this worker" : `stage ${state.stage}`],
    ["Waiting", figure(state.lag), `${state.lag === 1 ? "record" : "records"} in ${counted(state.partitions, "partition")}`],
    ["Episodes", figure(firing), "firing now"],
  ]);
}

function episodes(data) {
  const { rows, end } = data;
  const start = Math.min(...rows.map((row) => row.starts));
  const from = Math.min(start, end - HOUR_MS);
  const list = rows.map((row) => el("li", {},
    el("h3", {}, `${named(row.model, row.version)}: ${words(row.kind)} `, row.ends ? badge("resolved", "resolved") : badge(`${row.severity}, firing`, `sev-${row.severity}`)),
    el("p", { class: "meta" }, row.ends ? `${minute(row.starts)} to ${minute(row.ends)}` : `since ${minute(row.starts)}`, ` · revision ${row.revision} · episode ${row.id.slice(0, 12)}`),
    el("p", {}, arrows(row.summary)),
    row.fromStart.length ? el("p", {}, `Different from the reference from the start: ${row.fromStart.join(", ")}. Is it the right reference?`) : null,
    row.evidence ? el("p", { class: "meta" }, row.evidence) : null,
    el("p", {}, el("a", { href: row.runbook, id: `runbook-${row.id}`, rel: "noreferrer" }, `Runbook: ${words(row.kind)}`))));
  const earlier = list.slice(SHOWN_EPISODES);
  return [el("div", { class: "panel" }, timeline(rows, from, end, "Timeline of episodes")),
    el("ol", { class: "episodes" }, list.slice(0, SHOWN_EPISODES)),
    ...(earlier.length ? [el("details", { "data-name": "earlier" }, el("summary", {}, counted(earlier.length, "more episode")), el("ol", { class: "episodes" }, earlier))] : [])];
}

function drift(value, name) {
  return [el("span", {}, times(value)), meter(value, name)];
}

function models({ rows, more, time, model, version }) {
  const heads = [["model", null], ["state", null], [["drift ", ratioScale], "drift"], ["window", "figure wide"], ["budget used", "figure wide"], ["in alarm", "figure wide"], ["judged until", "figure wide"]];
  const made = rows.map((row) => {
    const name = named(row.model, row.version);
    const query = new URLSearchParams({ model: row.model, version: row.version });
    const current = row.model === model && row.version === version;
    return { current, cells: [
      el("a", { href: `?${query}#signals`, id: `model-${row.model}/${row.version}` }, name),
      row.severity ? badge(row.severity, `sev-${row.severity}`) : el("span", { class: "quiet" }, row.state === "watching" ? "quiet" : row.state),
      row.signal ? [...drift(row.worst, `${name}, ${row.signal}`), el("span", { class: "quiet" }, row.signal)] : el("span", { class: "quiet" }, row.collected ? `${counted(row.collected, "event")} collected` : row.state === "idle" ? "no events for a while" : "no full window yet"),
      row.window ? `${figure(row.filling)} of ${figure(row.window)}` : figure(row.filling),
      row.allowed ? `${row.opened} of ${figure(row.allowed)}` : "–",
      row.inAlarm === null ? "–" : percent(row.inAlarm),
      row.judgedUntil ? `${duration(time - row.judgedUntil)} ago` : "–",
    ] };
  });
  const left = more ? [el("p", { class: "meta" }, `Left out: ${counted(more, "quieter model")}.`)] : [];
  return [table("Drift is the worst test in units of its threshold: 1× is a finding. Budget is the episodes of this week, of those allowed; in alarm the share of the panes of four weeks after which one was open.", heads, made), ...left];
}

function numbers(row) {
  const rows = row.bars.window.map((now, b) => ({ cells: [binName(row.bars, b), percent(row.bars.reference[b]), percent(now)] }));
  const both = row.bars.shape !== null;
  return el("details", { "data-name": row.name }, el("summary", {}, both ? "Bins of equal weight, and numbers" : "Numbers"),
    both ? equalBins(row.bars, `Distribution of ${row.name} in bins of equal weight`) : null,
    table(`Shares of ${row.name}`, [["bin", null], ["reference", "figure"], ["window", "figure"]], rows));
}

function card(row) {
  return el("article", { class: "panel" },
    el("h3", {}, `${row.name} `, badge(times(row.ratio), `level${level(row.ratio)}`)),
    meter(row.ratio, row.name, true),
    el("p", { class: "meta" }, `${row.role} · ${testName(row.test)} ${figure(row.value)}, threshold ${figure(row.threshold)}`),
    row.change ? el("p", {}, arrows(row.change)) : null,
    el("figure", {}, histogram(row.bars, `Distribution of ${row.name}`), numbers(row)));
}

function signals(detail) {
  $("signals-title").textContent = printable(`Signals of ${named(detail.model, detail.version)}`);
  const untested = detail.untested.length ? [el("details", { "data-name": "untested" }, el("summary", {}, `Not tested: ${detail.untested.length}`), el("ul", {}, detail.untested.map((words) => el("li", {}, words))))] : [];
  if (!detail.signals.length) return [el("p", { class: "lead" }, "No full window yet."), ...untested];
  const heads = [["signal", null], [["drift ", ratioScale], "drift"], ["test", null], ["value", "figure wide"], ["threshold", "figure wide"], ["missing", "figure wide"]];
  const rows = detail.signals.map((row) => ({ cells: [row.name, drift(row.ratio, row.name), testName(row.test), figure(row.value), figure(row.threshold), row.missing || row.missingBefore ? `${percent(row.missingBefore)} → ${percent(row.missing)}` : "–"] }));
  const key = el("p", { class: "key" }, [["ref", "reference"], ["win", "window"]].map(([kind, text]) => el("span", {}, el("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), text)));
  return [
    el("div", { class: "headings" },
      el("p", { class: "meta" }, `Window of ${counted(detail.events, "event")}, ${minute(detail.starts)} to ${minute(detail.ends)} UTC${detail.idle ? ", the last full one: no events for a while" : ""}`),
      el("p", { class: "meta" }, "Reference ", el("code", {}, detail.reference.slice(0, 19))),
      el("p", { class: "meta" }, "Plan ", el("code", {}, detail.plan.slice(0, 19)))),
    ...untested,
    table("Signals in the last full window: the worst test of each, in units of its threshold", heads, rows),
    ...(detail.moreSignals ? [el("p", { class: "meta" }, `Left out: ${counted(detail.moreSignals, "quieter signal")}.`)] : []),
    key,
    el("div", { class: "cards" }, detail.signals.filter((row) => row.bars).map(card))];
}

function segments(rows) {
  const heads = [["segment", null], [["drift ", ratioScale], "drift"], ["signal", null], ["test", "wide"], ["events", "figure wide"]];
  return [table("Segments in their last full window: the worst test of each", heads,
    rows.map((row) => ({ cells: [row.segment, drift(row.ratio, row.segment), row.signal, testName(row.test), figure(row.events)] })))];
}

function show(state) {
  head(state);
  const detail = state.detail;
  const judged = Math.max(0, ...state.models.map((row) => row.judgedUntil), ...state.episodes.map((row) => Math.max(row.starts, row.ends)));
  section("episodes", state.episodes.length ? { rows: state.episodes, end: judged } : null, episodes);
  section("models", state.models.length ? { rows: state.models, more: state.moreModels, time: state.time, model: detail && detail.model, version: detail && detail.version } : null, models);
  section("signals", detail, signals);
  section("segments", detail && detail.segments.length ? detail.segments : null, segments);
  const times = Number(document.body.dataset.shown || 0) + 1;
  document.body.dataset.shown = String(times);
  // What a link points to was not there when the page came.
  if (times === 1 && location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

async function look() {
  if (paused || document.hidden) return;
  const query = new URLSearchParams();
  for (const name of ["model", "version"]) if (wanted.has(name)) query.set(name, wanted.get(name));
  try {
    const answer = await fetch(`api/v1/state?${query}`, { signal: AbortSignal.timeout(EVERY_MS * 2) });
    if (!answer.ok) throw new Error(`${answer.status}`);
    const state = await answer.json();
    show(state);
    failures = 0;
    say(`Updated ${new Date(state.time).toISOString().slice(11, 19)} UTC, every ${EVERY_MS / 1000} s`, false);
  } catch (error) {
    failures += 1;
    if (failures === 2) say(`The worker does not answer since ${new Date().toISOString().slice(11, 19)} UTC. What is shown may be old.`, true);
  }
}

// A screen reader is told of what changes in kind, not of every update.
function say(text, stale) {
  const status = $("status");
  status.setAttribute("aria-live", stale || status.classList.contains("stale") ? "polite" : "off");
  status.classList.toggle("stale", stale);
  status.textContent = printable(text);
}

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Updates are paused" : "Pause updates";
  if (!paused) look();
});
document.addEventListener("visibilitychange", look);
setInterval(look, EVERY_MS);
look();
