// What planners said beside the forecast: every override with its state, and what they were worth.

import { api, at } from "../api.js";
import { fmt, t } from "../i18n.js";
import { go, href } from "../router.js";
import { Asked, Heading, html, Mark, Table, useAsk, useState } from "../ui.js";
import { Interval, pieces, who } from "./parts/numbers.js";
import { periodOf } from "./parts/forecast_data.js";
import { OverrideDetails, OverrideTable } from "./parts/override_table.js";

const STATES = ["active", "stale", "expired", "withdrawn"];
const VERDICTS = { helps: "good", hurts: "bad", unclear: "info" };
const LISTED = { active: ["stale", "active"], stale: ["stale"], expired: ["expired"], withdrawn: ["withdrawn"] };
const PAGE = 100;

export default function Overrides({ tenant, may, rest, query }) {
  const state = STATES.includes(query.state) ? query.state : "active";
  const [round, setRound] = useState(0);
  return html`
    <${Heading} note=${t("overrides.note")}>${t("place.overrides")}<//>
    <nav class="segmented" aria-label=${t("overrides.states")}>
      ${STATES.map((one) => html`<a key=${one} href=${href(tenant, "overrides", { state: one })} aria-current=${one === state ? "true" : undefined}>${t(`overrides.state.${one}`)}</a>`)}
    </nav>
    <section>
      <h2>${t(`overrides.state.${state}`)}</h2>
      <${List} key=${`${state}/${round}`} ...${{ tenant, may, state }} onChange=${() => setRound((n) => n + 1)} />
    </section>
    <${Value} tenant=${tenant} />
    <${OverrideDetails} ...${{ tenant, may, id: rest[0] ?? null }} onClose=${() => go(href(tenant, "overrides", { state }))} onDone=${() => go(href(tenant, "overrides", { state }))} />
  `;
}

function List({ tenant, may, state, onChange }) {
  const [pages, setPages] = useState(1);
  const found = useAsk(
    async (signal) => {
      const [period, ...lists] = await Promise.all([
        periodOf(tenant, signal),
        ...LISTED[state].map((one) => firstPages(tenant, one, pages, signal)),
      ]);
      const rows = lists.flatMap((list) => list.rows);
      const total = lists.reduce((sum, list) => sum + list.total, 0);
      return { rows, period, total, hasMore: lists.some((list) => list.hasMore) };
    },
    [pages],
  );
  return html`<${Asked} of=${found}>
    ${({ rows, period, total, hasMore }) => html`
      ${rows.length > 0 && html`<p class="hint">${hasMore && total > 0 ? t("overrides.shown", { n: rows.length, total }) : t("overrides.count", { n: rows.length })}</p>`}
      <${OverrideTable} ...${{ tenant, may, period, rows, onChange }} empty=${t(`overrides.none.${state}`)} />
      ${hasMore && html`<p class="actions"><button type="button" onClick=${() => setPages(pages + 1)}>${t("more")}</button></p>`}
    `}
  <//>`;
}

/** The first pages of a state: {rows, total, hasMore}; total is 0 where the API does not count. */
async function firstPages(tenant, state, pages, signal) {
  let answer = await api.get(at(tenant, "overrides"), { state, limit: PAGE }, { signal });
  const rows = [...answer.overrides];
  const total = answer.total ?? 0;
  for (let page = 1; page < pages && answer.next; page += 1) {
    answer = await api.get(answer.next, {}, { signal });
    rows.push(...answer.overrides);
  }
  return { rows, total, hasMore: Boolean(answer.next) };
}

/** Forecast value added of people and products. Never a verdict where chance could have made the same. */
function Value({ tenant }) {
  const [by, setBy] = useState("person");
  const found = useAsk((signal) => api.get(at(tenant, "overrides", "value"), { by }, { signal }), [by]);
  return html`<section>
    <h2>${t("value.title")}</h2>
    <p class="hint">${t("value.hint")}</p>
    <div class="segmented" role="group" aria-label=${t("value.by")}>
      ${["person", "product"].map((one) => html`<button type="button" aria-pressed=${one === by} onClick=${() => setBy(one)}>${t(`value.by.${one}`)}</button>`)}
    </div>
    <${Asked} of=${found}>${(data) => html`<${ValueTable} by=${by} rows=${data.values.filter((row) => row.overrides)} />`}<//>
  </section>`;
}

function ValueTable({ by, rows }) {
  const known = rows.flatMap((row) => [row.low, row.high, row.value_added]).filter((value) => value !== null);
  const most = Math.min(Math.max(...known.map(Math.abs), 0.1), 1);
  const columns = [
    { label: t(`value.name.${by}`), isHead: true, cell: (row) => (by === "person" ? who(row.name) : row.name) },
    { label: t("value.verdict"), cell: (row) => html`<${Mark} kind=${VERDICTS[row.verdict]}>${t(`value.verdict.${row.verdict}`)}<//>` },
    { label: t("value.added"), isNumber: true, cell: (row) => fmt.percent(row.value_added, 1, true) },
    { label: t("value.band"), cell: (row) => html`<span class="bias"><${Interval} ...${row} value=${row.value_added} most=${most} /> <span class="small number">${band(row)}</span></span>` },
    { label: t("value.overrides"), isNumber: true, cell: (row) => fmt.number(row.overrides) },
    { label: t("value.units"), isNumber: true, cell: (row) => pieces(row.units) },
    { label: t("value.baseline-error"), isNumber: true, cell: (row) => pieces(row.baseline_error) },
    { label: t("value.final-error"), isNumber: true, cell: (row) => pieces(row.final_error) },
  ];
  return html`<${Table} caption=${t("value.title")} isCaptionHidden columns=${columns} rows=${rows} rowKey=${(row) => row.name} empty=${t("value.none")} />`;
}

const band = ({ low, high }) => (low === null ? t("value.few") : t("value.from-to", { low: fmt.percent(low, 0, true), high: fmt.percent(high, 0, true) }));
