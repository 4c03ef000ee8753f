// A chart of numbers by day or week, for the eye, for the keyboard and as a table.

import { fmt, language, t } from "./i18n.js";
import { draw, isoDay, markOf, seconds, size } from "./plot.js";
import { onTheme } from "./theme.js";
import { pieces } from "./views/parts/numbers.js";
import { html, Table, useEffect, useLayoutEffect, useRef, useState } from "./ui.js";

const DAY = 86_400;
const LONG = { weekday: "short", day: "numeric", month: "long", year: "numeric" };
const PERIODS_FIRST_SEEN = 13 * 7; // of history, when a chart opens
const ZOOMS = [
  { key: "short", days: 56 },
  { key: "half", days: 182 },
  { key: "year", days: 365 },
  { key: "all", days: Infinity },
];

/**
 * `model` as plot.js tells, with a `label` in each line and mark names besides, and a band's `label`; `caption` names the chart for
 * those who do not see it. Its look follows the theme.
 */
export function Chart({ model, caption }) {
  const box = useRef(null);
  const view = useRef(null);
  const [cursor, setCursor] = useState(null);
  const [range, setRange] = useState(() => firstRange(model));
  const seen = useRef(range);
  const shown = useTheme();

  useLayoutEffect(() => {
    const onRange = (next) => {
      seen.current = next;
      setRange(next);
    };
    const onCursor = (index, left) => setCursor(index == null ? null : { index, left });
    const plot = draw(box.current, model, { words, range: seen.current, onRange, onCursor });
    view.current = plot;
    const watch = new ResizeObserver(() => plot.setSize(size(box.current)));
    watch.observe(box.current);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [model, shown, language()]);

  const zoom = (days) => view.current.setScale("x", lastDays(model, days));
  const onKeyDown = (event) => {
    const index = moved(event.key, cursor?.index ?? boundaryIndex(model), model);
    if (event.key === "Escape" && cursor) setCursor(null);
    else if (event.key === "+" || event.key === "-") zoomAround(view.current, index, event.key === "+" ? 0.5 : 2);
    else if (index != null && event.key !== "Escape") show(view.current, index);
    else return;
    event.preventDefault();
  };
  const index = cursor?.index ?? boundaryIndex(model);
  const length = (seconds(model.boundary ?? model.dates[0]) - seconds(model.dates[0])) / DAY;
  const zooms = ZOOMS.filter(({ days }) => days === Infinity || days < length);
  return html`<figure class="chart">
    <div class="chart-head">
      <${Legend} model=${model} />
      ${zooms.length > 1 && html`<div class="segmented" role="group" aria-label=${t("chart.zoom")}>
        ${zooms.map(
          ({ key, days }) => html`<button type="button" aria-pressed=${isRange(range, lastDays(model, days))} onClick=${() => zoom(days)}>
            ${t(`chart.zoom.${key}`)}
          </button>`,
        )}
      </div>`}
    </div>
    <div class="chart-box">
      <div
        class="chart-plot"
        ref=${box}
        tabindex="0"
        role="slider"
        aria-label=${t("chart.slider", { caption })}
        aria-valuemin="0"
        aria-valuemax=${model.dates.length - 1}
        aria-valuenow=${index}
        aria-valuetext=${spoken(model, index)}
        onKeyDown=${onKeyDown}
        onBlur=${() => setCursor(null)}
      ></div>
      ${cursor && html`<${Tip} model=${model} index=${cursor.index} view=${view.current} />`}
    </div>
    <p class="hint">${t("chart.keys")}</p>
    <${Numbers} model=${model} caption=${caption} range=${range} />
  </figure>`;
}

const words = {
  axisDate(at, between) {
    const day = isoDay(at);
    if (between >= 365 * DAY) return day.slice(0, 4);
    if (between < 28 * DAY) return fmt.date(day, { day: "numeric", month: "short" });
    return fmt.date(day, { month: "short" }) + (day.slice(5, 7) === "01" ? `\n${day.slice(0, 4)}` : "");
  },
  axisNumber: (value, largest) => fmt.number(value, largest < 10 ? 1 : 0),
};

/** Another number after each change of colours. */
function useTheme() {
  const [count, setCount] = useState(0);
  useEffect(() => onTheme(() => setCount((n) => n + 1)), []);
  return count;
}

const lastIndex = (model) => model.dates.length - 1;
const boundaryIndex = (model) => {
  const found = model.dates.findIndex((date) => !model.boundary || date > model.boundary);
  return found < 0 ? lastIndex(model) : found;
};

/** From so many days before the boundary until the end. */
function lastDays(model, days) {
  const end = seconds(model.dates[lastIndex(model)]) + model.step * DAY;
  const start = seconds(model.dates[0]) - model.step * DAY;
  const boundary = seconds(model.boundary ?? model.dates[0]);
  return [days === Infinity ? start : Math.max(start, boundary - days * model.step * DAY), end];
}

const firstRange = (model) => lastDays(model, PERIODS_FIRST_SEEN);
const isRange = (range, other) => Math.abs(range[0] - other[0]) < DAY && Math.abs(range[1] - other[1]) < DAY;

/** Where a key leads from `index`; null if it is none of ours. */
function moved(key, index, model) {
  const far = Math.max(1, Math.round(28 / model.step));
  const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: far, PageDown: -far, "+": 0, "-": 0 };
  if (key === "Home") return 0;
  if (key === "End") return lastIndex(model);
  if (!(key in steps)) return null;
  return Math.min(Math.max(index + steps[key], 0), lastIndex(model));
}

/** Put the cursor on a date, and that into the picture. */
function show(view, index) {
  const at = view.data[0][index];
  const { min, max } = view.scales.x;
  if (at < min || at > max) {
    const from = at < min ? at - (max - min) * 0.1 : at - (max - min) * 0.9;
    view.setScale("x", { min: from, max: from + (max - min) });
  }
  // the new scale counts from the next turn on
  queueMicrotask(() => view.setCursor({ left: view.valToPos(at, "x"), top: view.over.clientHeight / 2 }, true));
}

function zoomAround(view, index, factor) {
  const at = view.data[0][index];
  const { min, max } = view.scales.x;
  view.setScale("x", { min: at - (at - min) * factor, max: at + (max - at) * factor });
}

/** What a date has: [label, text] of each line and of the band. */
function entries(model, index) {
  const number = (value) => pieces(value);
  const lines = model.lines.flatMap((line) => (line.values[index] == null ? [] : [[line.label, number(line.values[index]), line.look]]));
  const { band } = model;
  if (band && band.low[index] != null) lines.push([band.label, `${number(band.low[index])} – ${number(band.high[index])}`, "band"]);
  return lines;
}

const marksAt = (model, index) => {
  const first = model.dates[index];
  const last = isoDay(seconds(first) + (model.step - 1) * DAY);
  return model.marks.filter((mark) => mark.first <= last && mark.last >= first);
};

/** A promotion often has no name of its own. */
const nameOf = (mark) => mark.name ?? t(`chart.mark.${markOf(mark.kind)}`);

const when = (model, index) => (model.step === 7 ? t("chart.week-of", { date: fmt.date(model.dates[index]) }) : fmt.date(model.dates[index], LONG));

function spoken(model, index) {
  const said = entries(model, index).map(([label, text]) => `${label} ${text}`);
  return [when(model, index), ...said, ...marksAt(model, index).map(nameOf)].join(", ");
}

function Tip({ model, index, view }) {
  const left = view.valToPos(view.data[0][index], "x") + view.over.offsetLeft;
  const side = left > view.width / 2 ? { right: `${view.width - left + 12}px` } : { left: `${left + 12}px` };
  return html`<div class="chart-tip" style=${side} aria-hidden="true">
    <strong>${when(model, index)}</strong>
    <dl>
      ${entries(model, index).map(([label, text, look]) => html`<dt><i class="swatch swatch-${look}"></i>${label}</dt><dd>${text}</dd>`)}
    </dl>
    ${marksAt(model, index).map((mark) => html`<p><i class="swatch mark-${markOf(mark.kind)}"></i>${nameOf(mark)}</p>`)}
  </div>`;
}

function Legend({ model }) {
  const kinds = [...new Set(model.marks.map((mark) => markOf(mark.kind)))];
  return html`<ul class="legend">
    ${model.lines.map((line) => html`<li><i class="swatch swatch-${line.look}"></i>${line.label}</li>`)}
    ${model.band && html`<li><i class="swatch swatch-band"></i>${model.band.label}</li>`}
    ${kinds.map((kind) => html`<li><i class="swatch mark-${kind}"></i>${t(`chart.mark.${kind}`)}</li>`)}
  </ul>`;
}

/** The numbers of what the picture shows at present. */
function Numbers({ model, caption, range }) {
  const [isOpen, setOpen] = useState(false);
  const box = useRef(null);
  useEffect(() => {
    const [scroll, row] = [".scroll", `tbody tr:nth-child(${rows.findIndex((i) => model.dates[i] > model.boundary) + 1})`].map((it) => box.current.querySelector(it));
    if (row) scroll.scrollTop = row.offsetTop - 2 * row.offsetHeight; // what is to come is read first
  }, [isOpen, model]);
  const rows = model.dates.flatMap((date, i) => (seconds(date) >= range[0] && seconds(date) <= range[1] ? [i] : []));
  const numbers = (label, values) => ({ label, isNumber: true, cell: (i) => (values[i] == null ? "" : pieces(values[i])) });
  const columns = [
    { label: t(model.step === 7 ? "chart.week" : "chart.day"), isHead: true, kind: "day", cell: (i) => fmt.date(model.dates[i]) },
    ...model.lines.map((line) => numbers(line.label, line.values)),
    ...(model.band ? [numbers(t("chart.low"), model.band.low), numbers(t("chart.high"), model.band.high)] : []),
    { label: t("chart.events"), cell: (i) => marksAt(model, i).map(nameOf).join(", ") },
  ];
  return html`<details class="chart-numbers" ref=${box} open=${isOpen} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary>${t("chart.table")}</summary>
    ${isOpen && html`<${Table} caption=${caption} isCaptionHidden columns=${columns} rows=${rows} rowKey=${(i) => model.dates[i]} />`}
  </details>`;
}
