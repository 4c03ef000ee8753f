// The morning: is the night good, what is out of the ordinary, and what to do about it.

import { api, at } from "../api.js";
import { fmt, t } from "../i18n.js";
import { href } from "../router.js";
import { Asked, Heading, html, Mark, Notice, Table, useAsk, useState } from "../ui.js";
import { fallbackReason, jobName, measureName, tableName } from "../words.js";
import { STEPS } from "./parts/numbers.js";

export default function Overview({ tenant, may }) {
  const asked = useAsk((signal) => api.get(at(tenant, "overview"), {}, { signal }), [tenant]);
  return html`<${Heading} note=${asked.data && night(asked.data)}>${t("place.overview")}<//>
    <${Asked} of=${asked}>
      ${(data) => html`<${State} data=${data} tenant=${tenant} may=${may} />
        <${Exceptions} ...${{ data, tenant, may }} />
        <${Totals} data=${data} />
        <div class="columns">
          <${Night} steps=${data.last_night.steps} tenant=${tenant} may=${may} />
          <${Freshness} tables=${data.freshness} />
        </div>`}
    <//>`;
}

function night(data) {
  return t("overview.night", {
    night: fmt.date(data.night),
    at: fmt.moment(data.available_at),
    ago: fmt.ago(data.age_seconds),
  });
}

/** One sentence: whether what is below can be worked with. */
function State({ data, tenant, may }) {
  const { newer_night: newer } = data;
  const details = may("evidence:read") && html`<a href=${href(tenant, "quality")}>${t("overview.see-runs")}</a>`;
  if (newer) {
    return html`<${Notice} kind="bad" title=${t("overview.not-last", { night: fmt.date(newer.night) })}>
      <p>${t("overview.stopped", { job: jobName(newer.job), reason: newer.reason ?? "" })}</p>
      <p>${t("overview.serves", { night: fmt.date(data.night) })} ${details}</p>
    <//>`;
  }
  if (data.age_days > 1) {
    return html`<${Notice} kind="warn" title=${t("overview.old", { n: data.age_days })}>
      <p>${t("overview.old-why")} ${details}</p>
    <//>`;
  }
  return null;
}

const KINDS = ["change", "error", "alert", "fallback", "stale_override", "blocked"];

function Exceptions({ data, tenant, may }) {
  const [kind, setKind] = useState("");
  const shown = data.exceptions.filter((one) => !kind || one.kind === kind);
  const counts = data.exceptions_total;
  const total = Object.values(counts).reduce((a, b) => a + b, 0);
  if (!total) {
    return html`<${Notice} kind="good" title=${t("exceptions.none")}><p>${t("exceptions.none-why")}</p><//>`;
  }
  const button = (name, n) => html`<button
    type="button"
    key=${name}
    aria-pressed=${kind === name}
    onClick=${() => setKind(name)}
  >
    ${name ? t(`exception.${name}`) : t("all")} <span class="count">${fmt.number(n)}</span>
  </button>`;
  return html`<section aria-labelledby="exceptions">
    <h2 id="exceptions">${t("exceptions", { n: total })}</h2>
    <div class="choices" role="group" aria-label=${t("exceptions.by-kind")}>
      ${button("", total)} ${KINDS.filter((name) => counts[name]).map((name) => button(name, counts[name]))}
    </div>
    <ol class="exceptions">
      ${shown.map((one, i) => html`<${Exception} key=${`${one.kind}${one.site}${one.product}${i}`} one=${one} period=${data.period} ...${{ tenant, may }} />`)}
    </ol>
    ${shown.length < (kind ? counts[kind] : total) &&
    html`<p class="note">${t("exceptions.first", { n: shown.length, total: kind ? counts[kind] : total })}</p>`}
  </section>`;
}

function Exception({ one, period, tenant, may }) {
  const group = [one.product_group, one.product_sub_group, one.product || !one.product_group ? null : one.site];
  const what = one.name ?? one.product ?? (group.filter(Boolean).join(" · ") || t(`exception.${one.kind}.whole`));
  const address = target(one, tenant, may);
  return html`<li>
    <${Mark} kind=${MARKS[one.severity] ?? "info"}>${t(`exception.${one.kind}`)}<//>
    <div>
      ${address ? html`<a href=${address}>${what}</a>` : html`<strong>${what}</strong>`}
      ${one.product && html`<span class="note"> ${[one.product, one.site].filter(Boolean).join(" · ")}</span>`}
    </div>
    <div>${sentence(one, period)}</div>
    <div class="note">${t(`exception.${one.kind}.do`)}</div>
  </li>`;
}

const MARKS = { high: "bad", medium: "warn", low: "info" };

function target(one, tenant, may) {
  if (one.kind === "stale_override" && one.override_id) return href(tenant, "overrides", one.override_id);
  if (one.site && one.product) return href(tenant, "forecast", one.site, one.product);
  return may("evidence:read") ? href(tenant, "quality") : null;
}

function sentence(one, period) {
  const key = `exception.${one.kind}.says`;
  if (one.kind === "change") {
    const difference = one.units_same - one.units_before;
    const share = one.units_before ? difference / one.units_before : null;
    const money = one.value_change === null ? "" : ` ${t(`${key}.value`, { value: fmt.money(one.value_change, { isSigned: true }) })}`;
    return t(`${key}.${difference < 0 ? "down" : "up"}`, {
      share: share === null ? fmt.signed(difference) : fmt.percent(Math.abs(share)),
      before: fmt.number(one.units_before),
      now: fmt.number(one.units_same),
    }) + money;
  }
  if (one.kind === "error") {
    return t(`${key}.${period}`, { n: one.days / STEPS[period], wape: fmt.percent(one.wape), naive: fmt.percent(one.naive_wape) });
  }
  if (one.kind === "alert") return t(key, { measure: measureName(one.measure), night: fmt.date(one.night) });
  if (one.kind === "stale_override") {
    const share = one.share === null ? "" : fmt.percent(one.share, 0, true);
    return t(`stale.${one.why}`, { share, date: one.expires_at ? fmt.date(one.expires_at.slice(0, 10)) : "" });
  }
  if (one.kind === "blocked") return t(key, { job: jobName(one.job), reason: one.reason ?? "" });
  return t(key, { reason: fallbackReason(one.reason) });
}

function Totals({ data }) {
  const { totals } = data;
  const difference = totals.units_before === null ? null : totals.units_same - totals.units_before;
  const share = totals.units_before ? difference / totals.units_before : null;
  const figure = (label, main, note) => html`<div>
    <dt>${label}</dt>
    <dd class="main">${main}</dd>
    ${note && html`<dd class="note">${note}</dd>`}
  </div>`;
  return html`<dl class="figures">
    ${figure(
      t("totals.units"),
      fmt.number(totals.units),
      share === null ? t("totals.no-before") : t(`totals.change.${data.period}`, { share: fmt.percent(share, 1, true) }),
    )}
    ${totals.value !== null &&
    figure(
      t("totals.value"),
      fmt.money(totals.value),
      t("totals.value-of", { n: totals.value_of_series, total: totals.series }),
    )}
    ${figure(
      t("totals.series"),
      fmt.number(totals.series),
      totals.by_fallback ? t("totals.fallback", { n: totals.by_fallback }) : t("totals.all-by-model"),
    )}
    ${figure(t("totals.ready"), fmt.moment(data.available_at), fmt.ago(data.age_seconds))}
  </dl>`;
}

export const RESULTS = { ok: "good", failed: "bad", blocked: "warn" };

function Night({ steps, tenant, may }) {
  const columns = [
    { label: t("run.job"), isHead: true, cell: (s) => jobName(s.job) },
    { label: t("run.status"), cell: (s) => html`<${Mark} kind=${RESULTS[s.status]}>${t(`run.${s.status}`)}<//>` },
    { label: t("run.ended"), isNumber: true, cell: (s) => fmt.moment(s.ended_at) },
    { label: t("run.seconds"), isNumber: true, cell: (s) => fmt.duration(s.seconds) },
  ];
  const reasons = steps.filter((s) => s.reason);
  return html`<section aria-labelledby="night">
    <h2 id="night">${t("overview.run")}</h2>
    <${Table} caption=${t("overview.run")} isCaptionHidden columns=${columns} rows=${steps} empty=${t("run.none")} />
    ${reasons.map((s) => html`<p class="note">${jobName(s.job)}: ${s.reason}</p>`)}
    ${may("evidence:read") && html`<p><a href=${href(tenant, "quality")}>${t("overview.see-runs")}</a></p>`}
  </section>`;
}

function Freshness({ tables }) {
  const late = tables.filter((one) => one.is_late || one.state === "unreadable");
  const there = tables.filter((one) => !late.includes(one) && one.state === "there");
  const missing = tables.filter((one) => !late.includes(one) && one.state !== "there");
  return html`<section aria-labelledby="freshness">
    <h2 id="freshness">${t("freshness")}</h2>
    ${late.length
      ? html`<p>${t("freshness.late-why")}</p>
          <${Tables} caption=${t("freshness.late")} rows=${late} />`
      : html`<p><${Mark} kind="good">${t("freshness.good")}<//></p>`}
    <details>
      <summary>${t("freshness.others", { n: there.length })}</summary>
      <${Tables} caption=${t("freshness.fresh")} rows=${there} />
      ${missing.length > 0 &&
      html`<p class="note">${t("freshness.missing", { tables: fmt.list(missing.map(tableName)) })}</p>`}
    </details>
  </section>`;
}

function Tables({ caption, rows }) {
  const columns = [
    { label: t("table"), isHead: true, cell: tableName },
    {
      label: t("freshness.state"),
      cell: (one) =>
        one.state === "unreadable"
          ? html`<${Mark} kind="bad">${t("freshness.unreadable")}<//>`
          : one.is_late
            ? html`<${Mark} kind="warn">${t("freshness.is-late")}<//>`
            : html`<${Mark} kind="good">${t("freshness.is-good")}<//>`,
    },
    { label: t("freshness.age"), isNumber: true, cell: (one) => fmt.ago(one.age_seconds) },
  ];
  return html`<${Table} caption=${caption} columns=${columns} rows=${rows} rowKey=${(one) => one.contract + one.zone} />`;
}
