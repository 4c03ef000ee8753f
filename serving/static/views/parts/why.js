// Why a series' forecast is what it is: in sentences, by drivers, by earlier cases and by what changed.

import { fmt, language, t } from "../../i18n.js";
import { html, Table } from "../../ui.js";
import { fallbackReason } from "../../words.js";
import { Bars, Diverging, pieces, signedPieces } from "./numbers.js";

const SHOWN = 0.05; // pieces; what moves less is left out
const ALIKE = [
  { below: 0.5, word: "much" },
  { below: 1.5, word: "some" },
  { below: Infinity, word: "hardly" },
];

/** `told` is the API's `explanation`; `period` is day or week. */
export function Why({ told, period }) {
  return html`<section>
    <h2>${t("why.title")}</h2>
    <p>${told.text[language()]}</p>
    ${told.fallback_reason && html`<p class="hint">${t("why.fallback", { reason: fallbackReason(told.fallback_reason) })}</p>`}
    <div class="pair">
      <${Drivers} told=${told} period=${period} />
      ${told.changes && html`<${Changes} changes=${told.changes} period=${period} />`}
    </div>
    ${told.cases.length > 0 && html`<${Cases} told=${told} />`}
  </section>`;
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** [name, units] of what moves the forecast, the largest first; numbers from outside by their own names. */
function movers(drivers, factors, isLevelOne, period) {
  const words = (name) => t(name === "season" ? `why.driver.season.${period}` : `why.driver.${name}`);
  const named = Object.entries(factors).map(([name, units]) => [t("why.factor", { name }), units]);
  const unnamed = drivers.factor - sum(named.map(([, units]) => units));
  const own = Object.entries(drivers).filter(([name]) => name !== "factor" && (isLevelOne || name !== "level"));
  const all = [...own.map(([name, units]) => [words(name), units]), ...named, [t("why.driver.factor"), unnamed]];
  return all.filter(([, units]) => Math.abs(units) >= SHOWN).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
}

function Drivers({ told, period }) {
  const factors = Object.fromEntries(Object.entries(told.factors).map(([name, days]) => [name, sum(days)]));
  return html`<${Steps}
    title=${t("why.drivers")}
    first=${[t("why.driver.level"), told.drivers.level]}
    steps=${movers(told.drivers, factors, false, period)}
    last=${[t("why.total"), told.units_q50]}
  />`;
}

function Changes({ changes, period }) {
  const { night, units_before, units_now, share, model_version_before: before, model_version: now } = changes;
  return html`<div>
    <${Steps}
      title=${t("why.changes", { date: fmt.date(night) })}
      first=${[t("why.before"), units_before]}
      steps=${movers(changes.drivers, changes.factors, true, period)}
      last=${[t("why.now"), units_now, share]}
    />
    <p class="hint">
      ${t("why.compared", { n: changes.periods })}
      ${changes.model_changed && ` ${t("why.model-changed", { before: before ?? "–", now: now ?? "–" })}`}
      ${changes.method_changed && ` ${t("why.method-changed")}`}
    </p>
  </div>`;
}

/** A table that adds up: where it begins, what comes to it and what goes, where it ends (and by what share it moved). */
function Steps({ title, first, steps, last }) {
  const most = Math.max(...steps.map(([, units]) => Math.abs(units)), 1e-9);
  const ends = [first[1], last[1]]; // all are shown with as many decimals as these, so that they are seen to add up
  const [, , share = null] = last;
  const rows = [
    { name: first[0], shown: pieces(first[1], ends) },
    ...steps.map(([name, units]) => ({ name, shown: signedPieces(units, ends), share: units / most })),
    { name: last[0], shown: html`${pieces(last[1], ends)}${share !== null && html` <span class="small">(${fmt.percent(share, 1, true)})</span>`}`, isLast: true },
  ];
  const columns = [
    { label: t("why.driver"), isHead: true, cell: (row) => (row.isLast ? html`<strong>${row.name}</strong>` : row.name) },
    { label: html`<span class="unseen">${t("why.picture")}</span>`, kind: "picture", cell: (row) => row.share !== undefined && html`<${Diverging} share=${row.share} />` },
    { label: t("pieces"), isNumber: true, cell: (row) => (row.isLast ? html`<strong>${row.shown}</strong>` : row.shown) },
  ];
  return html`<${Table} caption=${title} columns=${columns} rows=${rows} />`;
}

function Cases({ told }) {
  const own = `${told.site}/${told.product}`;
  const columns = [
    { label: t("why.night"), isHead: true, kind: "day", cell: (one) => fmt.date(one.night) },
    { label: t("why.series"), cell: (one) => (one.series === own ? t("why.itself") : one.series) },
    { label: t("why.alike"), cell: (one) => t(`why.alike.${ALIKE.find(({ below }) => one.distance < below).word}`) },
    { label: t("why.weeks"), cell: (one) => html`<${Bars} values=${one.units_weeks} /> <span class="small">${one.units_weeks.map((units) => pieces(units, one.units_weeks)).join(" · ")}</span>` },
    { label: t("why.sum"), isNumber: true, cell: (one) => pieces(one.units) },
  ];
  return html`<${Table} caption=${t("why.cases")} columns=${columns} rows=${told.cases} rowKey=${(one) => one.night + one.series} />
    <p class="hint">${t("why.cases-hint")}</p>`;
}
