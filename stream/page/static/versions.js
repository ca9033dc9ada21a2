// The versions of a model side by side: a row for each signal, a column for each version.

import { el, meter, named, percent, printable, times } from "./draw.js";
import { leftOut, signalAddress, table, testName } from "./parts.js";

function cell(found, model, version, signal) {
  if (!found) return el("span", { class: "quiet" }, "not there");
  const missing = found.missing ? `missing ${percent(found.missing)}` : "";
  return [el("a", { href: signalAddress(model, version, signal), id: `version-${version}-${signal}` }, times(found.ratio)), ` ${testName(found.test)}`,
    meter(found.ratio, `${signal} in ${named(model, version)}`),
    el("span", { class: "quiet" }, [found.typical, missing].filter(Boolean).join(", "))];
}

export function versions({ model, versions: all, windows, references, rows, moreVersions, moreSignals }) {
  document.getElementById("versions-title").textContent = printable(`Versions of ${model}`);
  const alike = new Set(references).size === 1;
  const heads = [["signal", null], ...all.map((version) => [named(model, version), "drift"])];
  const made = rows.map((row) => ({ cells: [row.signal, ...row.cells.map((found, i) => cell(found, model, all[i], row.signal))] }));
  return [
    el("p", { class: "lead" }, alike ? "All are compared with the same reference: where two columns differ, the versions do." : "Each is compared with a reference of its own: compare what the values are, beside the ratios."),
    el("ul", { class: "meta" }, all.map((version, i) => el("li", {}, `${named(model, version)}: ${windows[i]}, reference `, el("code", {}, references[i].slice(0, 19))))),
    el("div", { class: "versions" }, table("The worst test of each signal in each version, in units of its threshold, and what its values are now", heads, made)),
    leftOut(moreVersions, "version"), leftOut(moreSignals, "quieter signal")];
}
