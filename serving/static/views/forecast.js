// The forecast of a node of the hierarchy or of one series, and what stands behind it.
// Addresses: #/TENANT/forecast/SITE/PRODUCT is a series, #/TENANT/forecast?site=..&product_group=.. a node, without both all.

import { Chart } from "../chart.js";
import { fmt, language, t } from "../i18n.js";
import { go } from "../router.js";
import { Asked, Empty, Heading, html, Notice, Problem, Table, useAsk, useState } from "../ui.js";
import { useMemo } from "../vendor/standalone.module.js";
import { Accuracy } from "./parts/accuracy.js";
import { askNode, chartOf, planByDate } from "./parts/forecast_data.js";
import { FIELDS, hasForecast, isSame, isSeries, keyOf, linkTo, nameOf, nodeOf, placeOf } from "./parts/node.js";
import { Change, changeOf, pieces, signedPieces } from "./parts/numbers.js";
import { OverrideDialog } from "./parts/override_dialog.js";
import { OverrideTable } from "./parts/override_table.js";
import { Search } from "./parts/search.js";
import { Tree } from "./parts/tree.js";
import { Why } from "./parts/why.js";

export default function Forecast({ tenant, may, rest, query }) {
  const [site, product] = rest;
  const asked = nodeOf(rest.length === 2 ? { site, product } : query);
  const found = useAsk((signal) => askNode(tenant, asked, signal), [tenant, keyOf(asked)]);
  const select = (node) => go(linkTo(tenant, node));
  // the groups of a series are known once it has come: the tree then opens down to it
  const reveal = isSeries(asked) ? found.data && isSame(found.data.node, asked) && found.data.node : asked;
  const isWide = matchMedia("(min-width: 60rem)").matches;
  return html`<div class="sided">
    <details class="side" open=${isWide}>
      <summary>${t("forecast.choose")}</summary>
      <${Search} tenant=${tenant}>
        <${Tree} key=${tenant} tenant=${tenant} selected=${asked} reveal=${reveal || null} onSelect=${select} />
      <//>
    </details>
    <div>
      <${Asked} of=${found}>${(data) => html`<${Node} key=${keyOf(data.node)} ...${{ tenant, may, found: data, again: found.again }} />`}<//>
    </div>
  </div>`;
}

function Node({ tenant, may, found, again }) {
  const { head, node, series, rows } = found;
  const [isOverriding, setOverriding] = useState(false);
  const model = useMemo(() => chartOf(found), [found, language()]);
  if (!rows.length && found.hasSums) return html`<${Heading}>${nameOf(node)}<//><${Empty}>${t("forecast.nothing", { place: placeOf(node) })}<//>`;
  const caption = t("forecast.caption", { place: placeOf(node) });
  const days = planByDate(found.plan.data);
  return html`
    <${Heading} note=${noteOf(head, node, series)}>${nameOf(node)}<//>
    ${head.newer_night && html`<${Notice} kind="warn"><p>${t("forecast.newer", { newer: fmt.date(head.newer_night.night), night: fmt.date(head.night), reason: head.newer_night.reason ?? head.newer_night.job })}</p><//>`}
    ${found.hasSums ? html`<${Figures} found=${found} days=${days} />` : html`<${Notice} kind="info"><p>${t("forecast.no-sums")}</p><//>`}
    <section>
      <header class="section-head">
        <h2>${t("forecast.chart")}</h2>
        ${may("plans:write") && rows.length > 0 && html`<button type="button" class="main" onClick=${() => setOverriding(true)}>${t("override.make")}</button>`}
      </header>
      ${model.dates.length > 0 && html`<${Chart} model=${model} caption=${caption} />`}
      ${found.history.error && html`<${Missing} what="forecast.missing.history" error=${found.history.error} />`}
      ${found.plan.error && html`<${Missing} what="forecast.missing.plan" error=${found.plan.error} />`}
      ${found.plan.data === null && html`<p class="hint">${t("forecast.large")}</p>`}
    </section>
    ${found.overrides.data?.length > 0 &&
    html`<section>
      <h2>${t("override.here")}</h2>
      <${OverrideTable} tenant=${tenant} may=${may} rows=${found.overrides.data} onChange=${again} period=${head.period} />
    </section>`}
    ${found.told?.data && html`<${Why} told=${found.told.data} period=${head.period} />`}
    ${found.told?.error && html`<section><h2>${t("why.title")}</h2><${Missing} what="forecast.missing.why" error=${found.told.error} /></section>`}
    ${found.children && html`<${Children} tenant=${tenant} children=${found.children} />`}
    ${found.accuracy.data ? html`<${Accuracy} rows=${found.accuracy.data} period=${head.period} />` : html`<section><h2>${t("accuracy.title")}</h2><${Missing} what="forecast.missing.accuracy" error=${found.accuracy.error} /></section>`}
    <${OverrideDialog}
      isOpen=${isOverriding}
      tenant=${tenant}
      node=${node}
      period=${head.period}
      rows=${rows}
      onClose=${() => setOverriding(false)}
      onDone=${() => {
        setOverriding(false);
        again();
      }}
    />
  `;
}

function noteOf(head, node, series) {
  const place = FIELDS.some((field) => node[field]) ? placeOf(node) : null;
  const night = t("forecast.night", { night: fmt.date(head.night), age: fmt.ago(head.age_seconds) });
  const model = head.model_name ? t("forecast.model", { version: head.model_version }) : t("forecast.fallbacks");
  return [place, night, model, series?.unit_price && t("forecast.price", { price: fmt.money(series.unit_price, { digits: 2 }) })].filter(Boolean).join(" · ");
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

function Figures({ found, days }) {
  const { rows, before, series, head } = found;
  const baseline = sum(rows.map((row) => row.units_point));
  const final = days && sum([...days.values()].map((day) => day.final));
  const isOverridden = days && [...days.values()].some((day) => day.isOverridden);
  const earlier = new Map(before.map((row) => [row.date, row.units_point]));
  const same = rows.filter((row) => earlier.has(row.date));
  const change = same.length ? { units_same: sum(same.map((row) => row.units_point)), units_before: sum(same.map((row) => earlier.get(row.date))) } : {};
  const last = rows.at(-1);
  const figure = (label, main, more) => html`<div><dt>${label}</dt><dd class="main">${main}</dd>${more && html`<dd class="small">${more}</dd>`}</div>`;
  const horizon = t(`forecast.horizon.${head.period}`, { n: new Set(rows.map((row) => row.date)).size });
  return html`<dl class="figures">
    ${figure(t("forecast.baseline"), pieces(baseline), `${horizon}, ${t("until", { date: fmt.date(last.date) })}`)}
    ${isOverridden && figure(t("forecast.final"), pieces(final), t("forecast.beside", { units: signedPieces(final - baseline), share: fmt.percent(baseline ? (final - baseline) / baseline : null, 1, true) }))}
    ${figure(t("forecast.change"), html`<${Change} row=${change} />`, changeOf(change) ? t("forecast.change-days", { n: same.length }) : t("forecast.no-before"))}
    ${series?.unit_price && figure(t("forecast.value"), fmt.money((isOverridden ? final : baseline) * series.unit_price), t("forecast.price", { price: fmt.money(series.unit_price, { digits: 2 }) }))}
  </dl>`;
}

/** What lies under a node, the largest changes first. */
function Children({ tenant, children }) {
  if (children.error) return html`<section><h2>${t("forecast.children")}</h2><${Missing} what="forecast.missing.children" error=${children.error} /></section>`;
  const weight = (row) => Math.abs(changeOf(row)?.units ?? 0);
  const rows = [...children.data].sort((a, b) => weight(b) - weight(a)).slice(0, 50);
  const hasValue = rows.some((row) => row.value !== null);
  const columns = [
    { label: t("node"), isHead: true, cell: (row) => html`${hasForecast(row) ? html`<a href=${linkTo(tenant, nodeOf(row))}>${nameOf(row)}</a>` : nameOf(row)}${row.product && row.name && html` <span class="small">${row.product}</span>`}` },
    { label: t("forecast.baseline"), isNumber: true, cell: (row) => pieces(row.units) },
    { label: t("forecast.change"), isNumber: true, cell: (row) => html`<${Change} row=${row} />` },
    ...(hasValue ? [{ label: t("forecast.value"), isNumber: true, cell: (row) => fmt.money(row.value) }] : []),
    { label: t("forecast.series"), isNumber: true, cell: (row) => fmt.number(row.series) },
  ];
  return html`<section>
    <h2>${t("forecast.children")}</h2>
    <${Table} caption=${t("forecast.children")} isCaptionHidden columns=${columns} rows=${rows} rowKey=${keyOf} empty=${t("forecast.no-children")} />
  </section>`;
}

/** A part that the API did not give: which, and why. */
function Missing({ what, error }) {
  return html`<p class="empty">${t(what)}</p>${error?.status !== 404 && error && html`<${Problem} error=${error} />`}`;
}
