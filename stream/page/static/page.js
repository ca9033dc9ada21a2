// The page of a worker: what fires, its models, and the signals of one.

import { counted, el, figure, level, meter, minute, named, percent, printable, ratioScale, timeline, times } from "./draw.js";
import { histogram } from "./histograms.js";
import { arrows, badge, drift, duration, episodes, facts, follow, key, leftOut, missing, numbers, PRIVATE, quietOf, section, signalAddress, table, tested, testName, words } from "./parts.js";
import { outcomes } from "./outcomes.js";
import { versions } from "./versions.js";

// On a phone the models begin within two screens.
const SHOWN_EPISODES = matchMedia("(max-width: 620px)").matches ? 4 : 6;
const HOUR_MS = 3600000;
const $ = (id) => document.getElementById(id);
const wanted = new URLSearchParams(location.search);
let before = null;

function head(state) {
  const firing = state.models.reduce((n, m) => n + m.firing.length, 0);
  const worst = state.models.length ? state.models[0].severity : "";
  const kinds = `${counted(firing, "episode")} ${firing === 1 ? "is" : "are"} firing`;
  const nothing = state.stage === "summarise" ? "This worker only counts; others judge" : "No model has sent events yet";
  const headline = !state.models.length && !state.moreModels ? nothing : firing ? kinds : "All quiet";
  const quiet = state.episodes.map((row) => quietOf(row, state.time)).filter(Boolean);
  const told = ["acknowledged", "silenced"].map((kind) => [quiet.filter((each) => each === kind).length, kind]).filter(([n]) => n).map(([n, kind]) => `${figure(n)} ${kind}`);
  $("quiet").textContent = told.length ? `${told.join(", ")}: nobody is told of ${quiet.length === 1 ? "it" : "these"}` : "";
  const made = [headline, ...(worst ? [" ", badge(worst, `sev-${worst}`)] : [])];
  if ($("headline").textContent !== made.map((part) => part.textContent || part).join("")) $("headline").replaceChildren(...made);
  document.title = firing ? `(${firing}) driftstream` : "driftstream";
  $("version").textContent = state.driftstream;
  facts([
    ["Worker", state.ready ? "ready" : "not ready", state.words],
    ["Models", figure(state.models.length + state.moreModels), state.stage === "all" ? "on this worker" : `stage ${state.stage}`],
    ["Events", ...rate(state)],
    ["Last event", ...last(state)],
    ["Waiting", figure(state.lag), `${state.lag === 1 ? "record" : "records"} in ${counted(state.partitions, "partition")}`],
    ["Oldest open episode", ...oldest(state, firing)],
    ["In alarm", ...inAlarm(state.models)],
  ]);
}

// Events a second between this look and the one before.
function rate(state) {
  if (state.stage === "monitor") return ["–", "counted by other workers"];
  const since = before;
  before = { time: state.time, counted: state.counted };
  const seconds = since ? (state.time - since.time) / 1000 : 0;
  if (!since || seconds <= 0 || state.counted < since.counted) return [`${figure(state.counted)}`, "since the worker began"];
  return [`${figure((state.counted - since.counted) / seconds)}/s`, `${figure(state.counted)} since it began`];
}

function last(state) {
  if (!state.newest) return ["–", state.stage === "monitor" ? "read by other workers" : "none yet"];
  const ago = state.time - state.newest;
  return ago < -2000 ? [`${duration(-ago)} ahead`, "of this clock: event time"] : [`${duration(ago)} ago`, "by its event time"];
}

// An episode that was opened before this worker began is known by its model alone.
function oldest(state, firing) {
  const open = state.episodes.filter((row) => !row.ends).sort((a, b) => a.starts - b.starts);
  const known = new Set(open.map((row) => [row.model, row.version, row.kind].join("\n")));
  const unknown = state.models.flatMap((row) => row.firing.map((kind) => [row.model, row.version, kind].join("\n"))).filter((name) => !known.has(name));
  if (!firing && !open.length) return ["none", "nothing fires"];
  if (unknown.length) return ["unknown", "since before this worker began"];
  const first = open[0];
  const until = Math.max(first.starts, ...state.models.filter((row) => row.model === first.model && row.version === first.version).map((row) => row.judgedUntil));
  return [duration(until - first.starts), `${named(first.model, first.version)}, since ${minute(first.starts).slice(5)}`];
}

function inAlarm(models) {
  const shares = models.map((row) => row.inAlarm).filter((share) => share !== null);
  if (!shares.length) return ["–", "nothing was tested yet"];
  const mean = shares.reduce((a, b) => a + b, 0) / shares.length;
  return [percent(mean), `of four weeks’ tested time${shares.length > 1 ? `, mean of ${shares.length} models` : ""}`];
}

function silenceWords({ models, kinds, maxSeverity, until, reason, weekly }) {
  const whom = models.length ? models.join(", ") : "all models";
  const what = `${kinds.length ? kinds.map(words).join(", ") : "all kinds"}${maxSeverity === "critical" ? "" : ` up to ${maxSeverity}`}`;
  return `${whom}, ${what}: until ${minute(until)} UTC${weekly ? ", every week" : ""}${reason ? `. ${reason}` : ""}`;
}

function episodeList({ rows, more, end, time, silences, ...topic }) {
  const made = [
    silences.length ? el("div", { class: "panel silences" }, el("h3", {}, counted(silences.length, "silence holds", "silences hold")), el("ul", {}, silences.map((each) => el("li", {}, silenceWords(each)))), el("p", { class: "meta" }, "By this worker’s config. What is silenced goes on and is shown here; notify tells nobody of it.")) : null,
    ...missing(topic),
    rows.length ? null : el("p", { class: "lead" }, "None yet.")];
  if (!rows.length) return made;
  const start = Math.min(...rows.map((row) => row.starts));
  const from = Math.min(start, end - HOUR_MS);
  const shown = rows.slice(0, SHOWN_EPISODES);
  const rest = rows.slice(shown.length);
  const firing = rest.filter((row) => !row.ends).length;
  const left = `${counted(rest.length, "more episode")}${firing ? `, ${figure(firing)} of them firing` : ""}`;
  return [...made, episodes(shown, time),
    ...(rest.length ? [el("details", { "data-name": "earlier" }, el("summary", {}, left), episodes(rest, time), leftOut(more, "earlier episode"))] : []),
    el("details", { "data-name": "timeline", class: "over" }, el("summary", {}, "Timeline"), el("div", { class: "panel" }, timeline(rows, from, end, "Timeline of episodes")))];
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
  return [table("Drift is the worst test in units of its threshold: 1× is a finding. Budget is the episodes of this week, of those allowed; in alarm the share of the panes of four weeks after which one was open.", heads, made), leftOut(more, "quieter model")];
}

function card(row, detail) {
  return el("article", { class: "panel" },
    el("h3", {}, el("a", { href: signalAddress(detail.model, detail.version, row.name), id: `card-${row.name}` }, row.name), " ", badge(times(row.ratio), `level${level(row.ratio)}`)),
    meter(row.ratio, row.name, true),
    el("p", { class: "meta" }, `${row.role} · ${tested(row)}`),
    row.change ? el("p", {}, arrows(row.change)) : null,
    el("figure", {}, histogram(row.bars, `Distribution of ${row.name}`), numbers(row)));
}

function signals({ beside, ...detail }) {
  $("signals-title").textContent = printable(`Signals of ${named(detail.model, detail.version)}`);
  const untested = detail.untested.length ? [el("details", { "data-name": "untested" }, el("summary", {}, `Not tested, or told late: ${detail.untested.length}`), el("ul", {}, detail.untested.map((words) => el("li", {}, words))))] : [];
  if (!detail.signals.length) return [el("p", { class: "lead" }, "No full window yet."), ...untested];
  const heads = [["signal", null], [["drift ", ratioScale], "drift"], ["test", null], ["value", "figure wide"], ["threshold", "figure wide"], ["missing", "figure wide"]];
  const rows = detail.signals.map((row) => ({ cells: [el("a", { href: signalAddress(detail.model, detail.version, row.name), id: `signal-${row.name}` }, row.name), drift(row.ratio, row.name), testName(row.test), figure(row.value), figure(row.threshold), row.missing === null ? "–" : row.missing || row.missingBefore ? `${percent(row.missingBefore)} → ${percent(row.missing)}` : "–"] }));
  return [
    el("div", { class: "headings" },
      el("p", { class: "meta" }, !detail.events ? "No full window yet: what the tests of every pane say" : `Window of ${counted(detail.events, "event")}, ${minute(detail.starts)} to ${minute(detail.ends)} UTC${detail.idle ? ", the last full one: no events for a while" : ""}`),
      el("p", { class: "meta" }, "Reference ", el("code", {}, detail.reference.slice(0, 19))),
      el("p", { class: "meta" }, "Plan ", el("code", {}, detail.plan.slice(0, 19))),
      beside ? el("p", { class: "meta" }, el("a", { href: "#versions", id: "to-versions" }, `Beside ${beside}`)) : null),
    ...untested,
    detail.private ? el("p", { class: "meta" }, PRIVATE) : null,
    table("The worst test of each signal, in units of its threshold: of the last full window, or of those that follow every pane", heads, rows),
    leftOut(detail.moreSignals, "quieter signal"),
    key(),
    el("div", { class: "cards" }, detail.signals.filter((row) => row.bars).map((row) => card(row, detail)))];
}

function segments({ rows, more }) {
  const heads = [["segment", null], [["drift ", ratioScale], "drift"], ["signal", null], ["test", "wide"], ["events", "figure wide"]];
  return [table("Segments in their last full window: the worst test of each", heads,
    rows.map((row) => ({ cells: [row.segment, drift(row.ratio, row.segment), row.signal, testName(row.test), figure(row.events)] }))), leftOut(more, "quieter segment")];
}

function show(state) {
  head(state);
  const detail = state.detail;
  const judged = Math.max(0, ...state.models.map((row) => row.judgedUntil), ...state.episodes.map((row) => Math.max(row.starts, row.ends)));
  // What is quiet ends with the clock, which the section need not be drawn again for before.
  const quiet = state.episodes.map((row) => quietOf(row, state.time));
  const { episodes: rows, silences, alertsUnread, alertsLost, unseenEpisodes } = state;
  const topic = { alertsUnread, alertsLost, unseenEpisodes };
  section("episodes", rows.length || silences.length || missing(topic).length ? { rows, more: state.moreEpisodes, end: judged, silences, ...topic, quiet } : null, (data) => episodeList({ ...data, time: state.time }));
  section("models", state.models.length ? { rows: state.models, more: state.moreModels, time: state.time, model: detail && detail.model, version: detail && detail.version } : null, models);
  const others = state.versions ? state.versions.versions.slice(1).map((version) => named(state.versions.model, version)).join(", ") : "";
  const { outcomes: of, ...rest } = detail || {};
  section("outcomes", of ? { model: rest.model, version: rest.version, of, fairness: rest.fairness } : null, outcomes);
  section("signals", detail && { ...rest, beside: others }, signals);
  section("versions", state.versions, versions);
  section("segments", detail && detail.segments.length ? { rows: detail.segments, more: detail.moreSegments } : null, segments);
}

const query = new URLSearchParams();
for (const name of ["model", "version"]) if (wanted.has(name)) query.set(name, wanted.get(name));
follow(`api/v1/state?${query}`, show);
