// A change, of which overrides and scenarios are made: from when to when, by how much.

import { fmt, language, t } from "../../i18n.js";
import { isoDay, seconds } from "../../plot.js";
import { Field, html } from "../../ui.js";
import { numberOf } from "./number_text.js";
import { pieces } from "./numbers.js";

export const HOWS = ["percent", "units"];

/** A change in words: "+10 %", "500 pieces a day". */
export const amount = ({ how, value }, period) =>
  how === "percent" ? fmt.percent(value / 100, 1, true) : t(`change.units.${period}`, { units: pieces(value) });

/** What was typed, as a form keeps it. */
export const draftOf = ({ first, last, how, value }) => ({
  first,
  last,
  how,
  text: value === undefined ? "" : new Intl.NumberFormat(language(), { maximumFractionDigits: 3, useGrouping: false }).format(value),
});

/** The change of a draft, and what is wrong with it: {change, errors: {field: words}}. */
export function read(draft) {
  const value = numberOf(draft.text, language());
  const errors = {};
  if (!draft.first) errors.first = t("change.date-needed");
  if (!draft.last) errors.last = t("change.date-needed");
  else if (draft.first > draft.last) errors.last = t("change.order");
  if (value === null) errors.text = t("change.number-needed");
  else if (draft.how === "units" && value < 0) errors.text = t("change.below-zero");
  else if (draft.how === "percent" && value < -100) errors.text = t("change.below-all");
  return { change: { first: draft.first, last: draft.last, how: draft.how, value }, errors };
}

/** `draft` as above; `onInput` gets the next one; `period` is day or week. */
export function ChangeFields({ draft, onInput, errors = {}, period, first, last }) {
  const set = (name) => (value) => onInput({ ...draft, [name]: value });
  return html`
    <div class="filters">
      <${Field} type="date" label=${t("change.first")} required autofocus min=${first} max=${last} value=${draft.first} onInput=${set("first")} error=${errors.first} />
      <${Field} type="date" label=${t("change.last")} required min=${first} max=${last} value=${draft.last} onInput=${set("last")} error=${errors.last} />
    </div>
    ${period === "week" && html`<p class="hint">${t("change.weeks")}</p>`}
    <div class="filters">
      <${Field} label=${t("change.how")} value=${draft.how} onInput=${set("how")} options=${HOWS.map((how) => [how, t(`change.how.${how}.${period}`)])} />
      <${Field} label=${t(`change.value.${draft.how}`)} required inputmode="decimal" autocomplete="off" value=${draft.text} onInput=${set("text")} error=${errors.text} />
    </div>
  `;
}

/** What a change would make of `rows` ({date, units_point}) of its node: {baseline, final, periods}; null where it touches none. */
export function effect(change, rows, step) {
  const touched = new Map();
  for (const { date, units_point: units } of rows) {
    const end = isoDay(seconds(date) + (step - 1) * 86_400);
    if (date <= change.last && end >= change.first) touched.set(date, (touched.get(date) ?? 0) + units);
  }
  if (!touched.size || change.value === null) return null;
  const baseline = [...touched.values()].reduce((total, units) => total + units, 0);
  const final = change.how === "units" ? change.value * touched.size : baseline * (1 + change.value / 100);
  return { baseline, final, periods: touched.size };
}

/** The same in a sentence. */
export function Effect({ of, period }) {
  if (!of) return html`<p class="effect small">${t("change.no-effect")}</p>`;
  const share = of.baseline ? ` (${fmt.percent((of.final - of.baseline) / of.baseline, 1, true)})` : "";
  return html`<p class="effect" role="status">${t(`change.effect.${period}`, { n: of.periods, before: pieces(of.baseline), after: pieces(of.final) })}${share}</p>`;
}
