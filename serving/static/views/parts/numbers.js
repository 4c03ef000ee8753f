// Numbers with a small picture, which is for the eye alone: sign and word say the same.

import { fmt, t } from "../../i18n.js";
import { html } from "../../ui.js";

export const STEPS = { day: 1, week: 7 }; // days of a period
const NOTHING = 0.0005; // share below which nothing has changed

/** What a row of {units_same, units_before} changed since last night; null where there is nothing to compare. */
export function changeOf({ units_same: now, units_before: before }) {
  if (now == null || before == null) return null;
  const units = now - before;
  const share = before ? units / before : null;
  return { units, share, text: share === null ? fmt.signed(units) : fmt.percent(share, 1, true) };
}

/** The change since last night, with an arrow. */
export function Change({ row }) {
  const change = changeOf(row);
  if (!change) return html`<span class="change">–</span>`;
  const isSmall = Math.abs(change.share ?? change.units) < NOTHING;
  const sign = isSmall ? "" : change.units > 0 ? "▲" : "▼";
  return html`<span class=${isSmall ? "change small" : "change"}><span aria-hidden="true">${sign}</span> ${change.text}</span>`;
}

/** A bar from the middle to the left or right: `share` of half the width. */
export function Diverging({ share }) {
  const width = `${Math.min(Math.abs(share), 1) * 50}%`;
  const place = share < 0 ? { right: "50%", width } : { left: "50%", width };
  return html`<span class="diverging" aria-hidden="true"><i class=${share < 0 ? "minus" : "plus"} style=${place}></i></span>`;
}

/** A few bars beside each other, as high as their values. */
export function Bars({ values }) {
  const most = Math.max(...values, 1e-9);
  const height = (value) => `${Math.max(6, (value / most) * 100)}%`;
  return html`<span class="bars" aria-hidden="true">${values.map((value) => html`<i style=${{ height: height(value) }}></i>`)}</span>`;
}

/** A value and its interval on a scale from -`most` to `most`, 0 in the middle. */
export function Interval({ low, value, high, most }) {
  const at = (number) => 50 + Math.min(Math.max(number / most, -1), 1) * 50;
  return html`<span class="interval" aria-hidden="true">
    ${low !== null && html`<i style=${{ left: `${at(low)}%`, width: `${at(high) - at(low)}%` }}></i>`}
    ${value !== null && html`<em style=${{ left: `${at(value)}%` }}></em>`}
  </span>`;
}

/** Decimals that pieces are shown with: one below 100 where it says something. `among` are numbers that stand beside it. */
const digits = (value, among) => {
  const shown = among.length ? among : [value];
  return Math.max(...shown.map((number) => Math.abs(number ?? 0))) < 100 && !shown.every(Number.isInteger) ? 1 : 0;
};

/** Pieces as the page shows them; a dash where there are none. */
export const pieces = (value, among = []) => fmt.number(value, digits(value, among));

/** The same with its sign. */
export const signedPieces = (value, among = []) => fmt.signed(value, digits(value, among));

/** A day, or a week by its Monday, as the first cell of a row. */
export const when = (date, period) => (period === "week" ? t("chart.week-of", { date: fmt.date(date) }) : fmt.day(date));

/** Who did something, as people call him: without the sort of caller that the API puts before a name. */
export const who = (actor) => actor?.replace(/^user:/, "") ?? "–";
