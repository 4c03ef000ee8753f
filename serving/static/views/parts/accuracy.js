// How good the forecasts of the past weeks were, by how far ahead they looked.

import { fmt, t } from "../../i18n.js";
import { Empty, html, Table } from "../../ui.js";
import { Diverging, STEPS } from "./numbers.js";

const BIAS_SHOWN = 0.3; // share of the units that is a bar of full width
const BIAS_SMALL = 0.02;

/** `rows` as the API has them in `accuracy`: {days, nights, wape, bias, naive_wape, value_added, covered, ...}; `period` is day or week. */
export function Accuracy({ rows, period }) {
  const judged = rows.filter((row) => row.nights && row.wape !== null);
  const columns = [
    { label: t("accuracy.ahead"), isHead: true, cell: (row) => t(`accuracy.first.${period}`, { n: row.days / STEPS[period] }) },
    { label: t("accuracy.wape"), isNumber: true, cell: (row) => fmt.percent(row.wape, 1) },
    { label: t("accuracy.naive"), isNumber: true, cell: (row) => fmt.percent(row.naive_wape, 1) },
    { label: t("accuracy.added"), isNumber: true, cell: (row) => fmt.percent(row.value_added, 1, true) },
    { label: t("accuracy.bias"), cell: (row) => bias(row.bias) },
    { label: t("accuracy.covered"), isNumber: true, cell: (row) => fmt.percent(row.covered) },
    { label: t("accuracy.nights"), isNumber: true, cell: (row) => fmt.number(row.nights) },
  ];
  return html`<section>
    <h2>${t("accuracy.title")}</h2>
    ${judged.length
      ? html`<${Table} caption=${t("accuracy.title")} isCaptionHidden columns=${columns} rows=${judged} rowKey=${(row) => row.days} />
          <p class="hint">${t("accuracy.hint")} ${t(`accuracy.naive.${period}`)} ${t("accuracy.hint-range")}</p>`
      : html`<${Empty}>${t("accuracy.none")}<//>`}
  </section>`;
}

function bias(value) {
  if (value === null || value === undefined) return "–";
  const word = Math.abs(value) < BIAS_SMALL ? "even" : value > 0 ? "high" : "low";
  return html`<span class="bias"><${Diverging} share=${value / BIAS_SHOWN} /> ${fmt.percent(value, 1, true)} <span class="small">${t(`accuracy.bias.${word}`)}</span></span>`;
}
