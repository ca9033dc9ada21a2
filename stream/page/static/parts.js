// What the page of the worker and that of a signal are made of.

import { counted, el, figure, level, meter, minute, named, percent, printable, times } from "./draw.js";
import { binName, equalBins } from "./histograms.js";

const EVERY_MS = 5000;
const $ = (id) => document.getElementById(id);
const drawn = new Map();

export const words = (name) => name.replaceAll("_", " ");
// A number stays with its "%" when lines are broken.
export const arrows = (text) => text.replaceAll("->", "→").replace(/(\d) %/g, "$1\u00a0%");
export const badge = (text, kind) => el("span", { class: `badge ${kind}` }, text);

// As stream/report/words.py.
const TESTS = { psi: "PSI", name_share: "a name's share", adwin: "ADWIN", edetector: "e-detector", day: "single day", limit: "log10 of evidence", fairness: "disparity", relation: "chi² given the prediction", missing_rate: "missing", invalid_rate: "wrong type", unseen_rate: "unseen", range_rate: "out of range", kl: "KL", js: "JS", hellinger: "Hellinger", wasserstein: "Wasserstein", ks: "KS", chi2: "chi²", g: "G" };
export const testName = (test) => TESTS[test] || words(test);

export const tested = (row) => `${testName(row.test)} ${figure(row.value)}, threshold ${figure(row.threshold)}`;

export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds >= 730 * 86400) return `${Math.floor(seconds / 31556952)} years`;
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${seconds} s`;
}

// A row is cells, or the name of the group of rows that follow it.
export function table(caption, heads, rows) {
  const head = heads.map(([text, kind]) => el("th", { scope: "col", class: kind }, Array.isArray(text) ? text.map((part) => typeof part === "function" ? part() : part) : text));
  const body = [el("tbody", {})];
  for (const { cells, current, group } of rows) {
    if (group) body.push(el("tbody", {}, el("tr", { class: "group" }, el("th", { colspan: heads.length, scope: "rowgroup" }, group))));
    else body[body.length - 1].append(el("tr", { "aria-current": current ? "true" : null },
      cells.map((cell, i) => el(i ? "td" : "th", { class: heads[i][1], scope: i ? null : "row" }, cell))));
  }
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, head)), body.filter((part) => part.childElementCount)));
}

// Redraws a section only if what it shows has changed, so that focus and open details stay.
export function section(id, data, make) {
  const place = $(id);
  place.hidden = !data;
  const text = JSON.stringify(data);
  if (!data || drawn.get(id) === text) return;
  drawn.set(id, text);
  const fill = place.querySelector(".fill");
  const open = new Set([...fill.querySelectorAll("details[open]")].map((d) => d.dataset.name));
  const focused = document.activeElement && fill.contains(document.activeElement) ? document.activeElement.id : "";
  fill.replaceChildren(...[make(data)].flat().filter((child) => child !== null));
  for (const details of fill.querySelectorAll("details")) details.open = open.has(details.dataset.name);
  if (focused && $(focused)) $(focused).focus();
}

export function drift(value, name) {
  return [el("span", {}, times(value)), meter(value, name)];
}

export const key = () => el("p", { class: "key" }, [["ref", "reference"], ["win", "window"]].map(([kind, text]) => el("span", {}, el("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), text)));

export const leftOut = (n, what) => n ? el("p", { class: "meta" }, `Left out: ${counted(n, what)}.`) : null;

export const signalAddress = (model, version, signal) => `signal?${new URLSearchParams({ model, version, signal })}`;

export function numbers(row) {
  const rows = row.bars.window.map((now, b) => ({ cells: [binName(row.bars, b), percent(row.bars.reference[b]), percent(now)] }));
  const both = row.bars.shape !== null;
  return el("details", { "data-name": row.name }, el("summary", {}, both ? "Bins of equal weight, and numbers" : "Numbers"),
    both ? equalBins(row.bars, `Distribution of ${row.name} in bins of equal weight`) : null,
    table(`Shares of ${row.name}`, [["bin", null], ["reference", "figure"], ["window", "figure"]], rows));
}

export const PRIVATE = "The model is private: values, names of categories and segments are not shown.";

// Whom `notify` tells of an episode now: nobody, where it is acknowledged or silenced.
export const quietOf = (row, time) => row.ends ? null : row.ack && row.ack.until > time ? "acknowledged" : row.silence ? "silenced" : null;

function ackWords({ by, at, until, note }, time) {
  const who = `${by ? ` by ${by}` : ""}, ${minute(at)} UTC`;
  const told = until <= at ? `Acknowledgement taken back${who}` : `Acknowledged${who}: nobody ${until > time ? "is" : "was"} told until ${minute(until)}`;
  return note ? `${told}. “${note}”` : `${told}.`;
}

function quietParts(row, time) {
  return [row.ack ? el("p", { class: "quietly" }, ackWords(row.ack, time)) : null,
    row.silence ? el("p", { class: "quietly" }, `Silenced until ${minute(row.silence.until)} UTC${row.silence.reason ? `: ${row.silence.reason}` : ""}. It fires all the same.`) : null];
}

// Metrics and what came by score show more of these than a signal does.
const placeOf = ({ kind, model, version }, name) => kind === "concept_drift" || kind === "performance" || kind === "fairness" ? `./?${new URLSearchParams({ model, version })}#outcomes` : signalAddress(model, version, name);

// What an episode says in one breath; all else is folded.
export function episode(row, time, current) {
  const links = row.names.slice(0, 12).map((name) => name === current ? el("span", {}, name) : el("a", { href: placeOf(row, name), id: `of-${row.id}-${name}` }, name));
  const state = row.ends ? badge("resolved", "resolved") : badge(row.severity, `sev-${row.severity}`);
  const quiet = quietOf(row, time);
  return el("li", {}, el("details", { "data-name": row.id },
    el("summary", { id: `episode-${row.id}` }, state, quiet ? [" ", badge(quiet, "quiet-badge")] : null, " ", el("span", { class: "line" }, arrows(row.summary))),
    row.advice ? el("p", {}, arrows(row.advice)) : null,
    quietParts(row, time),
    el("p", { class: "meta" }, `${named(row.model, row.version)}: ${words(row.kind)} · `, row.ends ? `${minute(row.starts)} to ${minute(row.ends)}` : `since ${minute(row.starts)}, firing`, ` · revision ${row.revision} · episode ${row.id.slice(0, 12)}`),
    row.fromStart.length ? el("p", {}, `Different from the reference from the start: ${row.fromStart.join(", ")}. Is it the right reference?`) : null,
    row.evidence ? el("p", { class: "meta" }, row.evidence) : null,
    links.length ? el("p", { class: "links" }, "Signals: ", links.flatMap((link, i) => i ? [", ", link] : [link]), row.names.length > 12 ? ` and ${row.names.length - 12} more` : null) : null,
    row.related.length ? el("p", { class: "meta" }, `Open with it: ${row.related.map(([id, others]) => `${others} (${id.slice(0, 12)})`).join("; ")}`) : null,
    el("p", {}, el("a", { href: row.runbook, id: `runbook-${row.id}`, rel: "noreferrer" }, `Runbook: ${words(row.kind)}`))));
}

// What of the alerts topic is missing here.
export function missing({ alertsUnread, alertsLost, unseenEpisodes }) {
  return [
    alertsUnread ? el("p", { class: "meta" }, `Acknowledgements, and episodes of before this worker began, are not shown: ${alertsUnread}`) : null,
    alertsLost ? el("p", { class: "meta" }, `${counted(alertsLost, "record")} of the alerts topic could not be read: acknowledgements or episodes may be missing here. The worker’s log says why.`) : null,
    unseenEpisodes ? el("p", { class: "meta" }, `${counted(unseenEpisodes, "episode fires", "episodes fire")} of which no alert is known here: older than what was read of the alerts topic. “driftstream alerts” has the words.`) : null,
  ].filter(Boolean);
}

export const episodes = (rows, time, current) => el("ol", { class: "episodes" }, rows.map((row) => episode(row, time, current)));

// Asks for the state now and every few seconds, and calls `show` with it.
export function follow(address, show) {
  let paused = false;
  let failures = 0;

  async function look() {
    if (paused || document.hidden) return;
    let state;
    try {
      const answer = await fetch(address, { signal: AbortSignal.timeout(EVERY_MS * 2) });
      if (!answer.ok) throw new Error(`${answer.status}`);
      state = await answer.json();
    } catch {
      failures += 1;
      if (failures === 2) say(`The worker does not answer since ${new Date().toISOString().slice(11, 19)} UTC. What is shown may be old.`, true);
      return;
    }
    failures = 0;
    show(state);
    say(`Updated ${new Date(state.time).toISOString().slice(11, 19)} UTC, every ${EVERY_MS / 1000} s`, false);
    const times = Number(document.body.dataset.shown || 0) + 1;
    document.body.dataset.shown = String(times);
    // What a link points to was not there when the page came.
    if (times === 1 && location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
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
}

// A screen reader is told of what changes in kind, not of every update.
function say(text, stale) {
  const status = $("status");
  status.setAttribute("aria-live", stale || status.classList.contains("stale") ? "polite" : "off");
  status.classList.toggle("stale", stale);
  status.textContent = printable(text);
}

export function facts(rows) {
  $("facts").replaceChildren(...rows.filter(Boolean).map(([name, value, note]) => el("div", {}, el("dt", {}, name), el("dd", { class: "value" }, value), note ? el("dd", { class: "note" }, note) : null)));
}
