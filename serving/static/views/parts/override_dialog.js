// Making an override, and changing one: what, why and until when.

import { api, at } from "../../api.js";
import { t } from "../../i18n.js";
import { isoDay, seconds } from "../../plot.js";
import { announce, Dialog, Field, html, Problem, useState, useWork } from "../../ui.js";
import { ChangeFields, draftOf, Effect, effect, read } from "./change.js";
import { paramsOf, placeOf } from "./node.js";
import { STEPS } from "./numbers.js";

const SUGGESTED = { day: 7, week: 4 }; // periods that a new override begins with

/** A day's last moment where the reader is, as the API takes it. */
export const endOfDay = (day) => new Date(`${day}T23:59:59`).toISOString();

/** The last day of the day or week, from Monday, that holds `day`. */
const lastOf = (day, period) => (period === "week" ? isoDay(seconds(day) + ((7 - new Date(day).getUTCDay()) % 7) * 86_400) : day);

const dayOf = (moment) => {
  const local = new Date(moment);
  return [local.getFullYear(), local.getMonth() + 1, local.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
};

/** Overrides a part of `rows`, the forecast of `node`. */
export function OverrideDialog({ isOpen, tenant, node, period, rows, onClose, onDone }) {
  const save = (body) => api.post(at(tenant, "overrides"), { ...paramsOf(node), ...body });
  const dates = rows.map((row) => row.date).sort();
  const last = dates[Math.min(SUGGESTED[period], dates.length) - 1];
  const start = { first: dates[0], last: last && lastOf(last, period), how: "percent" };
  return html`<${Dialog} title=${t("override.make")} isOpen=${isOpen} onClose=${onClose}>
    <p><strong>${placeOf(node)}</strong></p>
    <${OverrideForm} ...${{ period, rows, start, save, onClose, onDone }} />
  <//>`;
}

/** `start` is a change, and of an override that there is already its `reason` and `expires_at`; `save(body)` sends it. */
export function OverrideForm({ period, rows = [], start, save, onClose, onDone }) {
  const [draft, setDraft] = useState(() => draftOf(start));
  const [reason, setReason] = useState(start.reason ?? "");
  const [expires, setExpires] = useState(start.expires_at ? dayOf(start.expires_at) : "");
  const [isTried, setTried] = useState(false);
  const until = expires || (draft.last && lastOf(draft.last, period));
  const { change, errors } = read(draft);
  if (!reason.trim()) errors.reason = t("override.reason-needed");
  if (!until) errors.expires = t("change.date-needed");
  const shown = isTried ? errors : {};
  const work = useWork(async () => {
    await save({ ...change, reason: reason.trim(), expires_at: endOfDay(until) });
    announce(t("override.saved"));
    onDone();
  });
  const isPast = work.error?.detail?.includes("would have ended"); // by the server's clock
  const submit = (event) => {
    event.preventDefault();
    setTried(true);
    if (!Object.keys(errors).length) work.run();
  };
  return html`<form onSubmit=${submit} novalidate>
    <${ChangeFields} draft=${draft} onInput=${setDraft} errors=${shown} period=${period} />
    ${rows.length > 0 && html`<${Effect} of=${effect(change, rows, STEPS[period])} period=${period} />`}
    <${Field} label=${t("override.reason")} hint=${t("override.reason-hint")} required rows="2" maxlength="500" value=${reason} onInput=${setReason} error=${shown.reason} />
    <${Field} type="date" label=${t("override.expires")} hint=${t("override.expires-hint")} required value=${until} onInput=${setExpires} error=${isPast ? t("override.expires-past") : shown.expires} />
    ${work.error && !isPast && html`<${Problem} error=${work.error} />`}
    <div class="actions">
      <button type="submit" class="main" disabled=${work.isBusy}>${t("override.save")}</button>
      <button type="button" onClick=${onClose}>${t("cancel")}</button>
    </div>
  </form>`;
}
