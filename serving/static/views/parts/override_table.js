// Overrides in rows, and each of them in a dialog: its days, its history, changing and withdrawing it.

import { api, at } from "../../api.js";
import { fmt, t } from "../../i18n.js";
import { announce, Asked, Dialog, html, Mark, Notice, Problem, Table, useAsk, useState, useWork } from "../../ui.js";
import { amount } from "./change.js";
import { periodOf } from "./forecast_data.js";
import { linkTo, nodeOf, placeOf } from "./node.js";
import { pieces, when, who } from "./numbers.js";
import { OverrideForm } from "./override_dialog.js";

const KINDS = { active: "good", stale: "warn", expired: "info", withdrawn: "info" };

/** Why an override is stale, in words. */
const stale = (why) =>
  t(`override.stale.${why.kind}`, {
    share: fmt.percent(why.share, 0, true),
    date: fmt.moment(why.expires_at),
  });

const State = ({ of }) => html`<${Mark} kind=${KINDS[of.state]}>${t(`override.state.${of.state}`)}<//>
  ${of.stale.map((why) => html`<p class="small">⚠ ${stale(why)}</p>`)}`;

const sum = (days, name) => days.reduce((total, day) => total + (day[name] ?? 0), 0);

/** `onChange` hears that one was changed or withdrawn. */
export function OverrideTable({ tenant, may, period = "day", rows, onChange, empty }) {
  const [opened, setOpened] = useState(null);
  const columns = [
    { label: t("node"), isHead: true, cell: (row) => html`<a href=${linkTo(tenant, nodeOf(row))}>${placeOf(row)}</a><p class="small">${fmt.span(row.first, row.last)}</p>` },
    { label: t("override.state"), cell: (row) => html`<${State} of=${row} /><p class="small">${t("override.until", { moment: fmt.moment(row.expires_at) })}</p>` },
    { label: t("override.what"), isNumber: true, cell: (row) => html`${amount(row, period)}<p class="small">${pieces(sum(row.days, "baseline_now"))} → ${pieces(sum(row.days, "final"))}</p>` },
    { label: t("override.reason"), kind: "wide", cell: (row) => html`${row.reason}<p class="small">${who(row.made_by)} · ${fmt.moment(row.made_at)}</p>` },
    {
      label: t("actions"),
      cell: (row) => html`<button type="button" aria-label=${t("override.open-of", { place: placeOf(row), when: fmt.span(row.first, row.last) })} onClick=${() => setOpened(row.override_id)}>${t("override.open")}</button>`,
    },
  ];
  return html`<${Table} caption=${t("override.list")} isCaptionHidden columns=${columns} rows=${rows} rowKey=${(row) => row.override_id} empty=${empty} />
    <${OverrideDetails}
      ...${{ tenant, may, id: opened }}
      onClose=${() => setOpened(null)}
      onDone=${() => {
        setOpened(null);
        onChange();
      }}
    />`;
}

/** The override `id` in a dialog, open unless that is null. */
export const OverrideDetails = ({ id, onClose, ...more }) => html`<${Dialog} title=${t("override.one")} isOpen=${id !== null} onClose=${onClose}>
  <${Details} ...${{ id, onClose, ...more }} />
<//>`;

function Details({ tenant, id, may, onClose, onDone }) {
  const path = at(tenant, "overrides", id);
  const found = useAsk(async (signal) => {
    const [answer, period] = await Promise.all([api.ask("GET", path, { signal }), periodOf(tenant, signal)]);
    return { ...answer, period };
  }, [id]);
  const [doing, setDoing] = useState("looking");
  const back = () => setDoing("looking");
  return html`<${Asked} of=${found}>
    ${({ data: one, etag, period }) => {
      const headers = { "If-Match": etag };
      const isOver = one.state === "withdrawn" || one.state === "expired";
      const rows = one.days.map((day) => ({ date: day.date, units_point: day.baseline_now }));
      return html`
        <p><strong>${placeOf(one)}</strong>, ${fmt.span(one.first, one.last)}: ${amount(one, period)} <${State} of=${one} /></p>
        ${doing === "changing" && html`<${OverrideForm} ...${{ period, rows, start: one, onDone }} onClose=${back} save=${(body) => api.put(path, body, { headers })} />`}
        ${doing === "withdrawing" && html`<${Withdraw} path=${path} headers=${headers} onClose=${back} onDone=${onDone} />`}
        ${doing === "looking" &&
        html`<p>${one.reason}</p>
          ${may("plans:write") &&
          !isOver &&
          html`<div class="actions">
            <button type="button" onClick=${() => setDoing("changing")}>${t("override.change")}</button>
            <button type="button" class="bad" onClick=${() => setDoing("withdrawing")}>${t("override.withdraw")}</button>
            <button type="button" onClick=${onClose}>${t("close")}</button>
          </div>`}
          <${Days} days=${one.days} period=${period} />
          <${History} versions=${one.history} period=${period} />`}
      `;
    }}
  <//>`;
}

function Withdraw({ path, headers, onClose, onDone }) {
  const work = useWork(async () => {
    await api.del(path, { headers });
    announce(t("override.withdrawn"));
    onDone();
  });
  return html`<${Notice} kind="warn"><p>${t("override.withdraw-sure")}</p><//>
    ${work.error && html`<${Problem} error=${work.error} />`}
    <div class="actions">
      <button type="button" class="bad" disabled=${work.isBusy} onClick=${() => work.run()}>${t("override.withdraw")}</button>
      <button type="button" onClick=${onClose}>${t("cancel")}</button>
    </div>`;
}

function Days({ days, period }) {
  const columns = [
    { label: t(`chart.${period}`), isHead: true, kind: "day", cell: (day) => when(day.date, period) },
    { label: t("override.baseline-then"), isNumber: true, cell: (day) => pieces(day.baseline_then) },
    { label: t("override.baseline-now"), isNumber: true, cell: (day) => pieces(day.baseline_now) },
    { label: t("override.final"), isNumber: true, cell: (day) => pieces(day.final) },
  ];
  return html`<${Table} caption=${t(`override.days.${period}`)} columns=${columns} rows=${days} rowKey=${(day) => day.date} empty=${t("override.no-days")} />`;
}

function History({ versions, period }) {
  const columns = [
    { label: t("override.version"), isHead: true, isNumber: true, cell: (one) => fmt.number(one.version) },
    { label: t("override.at"), kind: "day", cell: (one) => fmt.moment(one.made_at) },
    { label: t("override.by"), cell: (one) => who(one.made_by) },
    { label: t("override.what"), cell: (one) => (one.is_withdrawn ? t("override.state.withdrawn") : `${amount(one, period)}, ${fmt.span(one.first, one.last)}`) },
    { label: t("override.reason"), cell: (one) => one.is_withdrawn ? "" : one.reason },
  ];
  return html`<${Table} caption=${t("override.history")} columns=${columns} rows=${versions} rowKey=${(one) => one.version} />`;
}
