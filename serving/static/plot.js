/**
 * Draws lines, a band and marked days with uPlot. Knows nothing of the API and of languages.
 *
 * A model is {dates, lines: [{look, values}], band: {low, high} | null, marks: [{first, last, kind}], boundary, step}:
 * `dates` are ISO days in order, `values`, `low`, `high` have one number or null for each of them, `boundary` is the last
 * day that is known, `step` counts the days of a period. A `look` is history, forecast, before, final or other.
 */
import { colour } from "./theme.js";
import uPlot from "./vendor/uPlot.esm.js";

const DAY = 86_400;
const FONT = '12px system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif';
const MARK_ROW = 18; // pixels above the plot in which the marks stand

/** Seconds since 1970 of an ISO day. */
export const seconds = (date) => Date.parse(`${date}T00:00:00Z`) / 1000;

/** The ISO day of seconds since 1970. */
export const isoDay = (at) => new Date(at * 1000).toISOString().slice(0, 10);

/** What a kind of event is drawn as: holiday, promotion or event. */
export const markOf = (kind) => (/promotion|campaign/.test(kind) ? "promotion" : /holiday/.test(kind) ? "holiday" : "event");

/** Marks of `events`, those that follow each other under one name joined. Events are {date, kind, name}. */
export function marksOf(events) {
  const marks = [];
  const open = new Map();
  for (const { date, kind, name } of [...events].sort((a, b) => (a.date < b.date ? -1 : 1))) {
    const last = open.get(`${kind}/${name}`);
    if (last && seconds(date) - seconds(last.last) <= DAY) last.last = date;
    else {
      const mark = { first: date, last: date, kind, name };
      open.set(`${kind}/${name}`, mark);
      marks.push(mark);
    }
  }
  return marks;
}

/** A line's dash, width and colour; colour is never all that tells two of them apart. */
const LOOKS = {
  history: { color: "--chart-history", width: 1.25 },
  forecast: { color: "--chart-forecast", width: 2 },
  before: { color: "--chart-before", width: 1.5, dash: [5, 4] },
  final: { color: "--chart-final", width: 2.5, points: true },
  other: { color: "--chart-before", width: 2, dash: [5, 4] },
};

/**
 * Draw `model` into `element`. `words` is {axisDate(seconds, step), axisNumber(value, largest)}.
 * `range` is [from, to] in seconds; `onRange` hears when the reader drags another, `onCursor` where the pointer is:
 * an index of `dates` or null, and pixels from the left of the plot. Returns the uPlot.
 */
export function draw(element, model, { words, range, onRange, onCursor }) {
  const colors = readColors();
  const at = model.dates.map(seconds);
  const band = model.band ? [model.band.low, model.band.high] : [];
  const series = [{}, ...band.map(() => ({ scale: "y", width: 0, points: { show: false } })), ...model.lines.map((l) => line(l, colors))];
  const full = [at[0] - model.step * DAY, at[at.length - 1] + model.step * DAY];
  const view = new uPlot(
    {
      ...size(element),
      padding: [MARK_ROW, 12, 0, 0],
      legend: { show: false },
      tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1000), "Etc/UTC"),
      cursor: { y: false, drag: { x: true, y: false, dist: 8 }, points: { size: 7 } },
      scales: {
        x: { min: range[0], max: range[1], range: (_, low, high) => (low == null ? full : clamp(low, high, full, model.step)) },
        y: { range: (_, low, high) => (low == null ? [0, 1] : [Math.min(0, low), high > 0 ? high * 1.06 : 1]) },
      },
      series,
      bands: model.band ? [{ series: [2, 1], fill: colors.band }] : [],
      axes: axes(colors, words, model.step),
      hooks: {
        drawClear: [(u) => behind(u, model, colors)],
        draw: [(u) => before(u, model, colors)],
        setCursor: [(u) => onCursor(u.cursor.left >= 0 ? u.cursor.idx : null, u.cursor.left)],
        setScale: [(u, key) => key === "x" && onRange([u.scales.x.min, u.scales.x.max])],
      },
    },
    [at, ...band, ...model.lines.map((l) => l.values)],
    element,
  );
  view.root.setAttribute("aria-hidden", "true");
  return view;
}

/** The size of a plot in `element`, which is as wide as it may be. */
export function size(element) {
  return { width: element.clientWidth, height: element.clientWidth < 520 ? 240 : 320 };
}

function readColors() {
  const names = ["band", "grid", "text", "holiday", "promotion", "event", "future"];
  const looks = Object.entries(LOOKS).map(([look, { color }]) => [look, colour(color)]);
  return { ...Object.fromEntries(names.map((name) => [name, colour(`--chart-${name}`)])), looks: Object.fromEntries(looks) };
}

function line({ look, values }, colors) {
  const { width, dash, points } = LOOKS[look];
  const stroke = colors.looks[look];
  const alone = values.flatMap((v, i) => (v != null && values[i - 1] == null && values[i + 1] == null ? [i] : []));
  return {
    scale: "y",
    stroke,
    width,
    dash,
    // a day between two without a number has no line: it needs a point to be seen
    points: points ? { show: true, size: 6, fill: stroke } : { show: alone.length > 0, size: 4, fill: stroke, filter: () => alone },
  };
}

function axes(colors, words, step) {
  const common = { stroke: colors.text, font: FONT, grid: { stroke: colors.grid, width: 1 }, ticks: { stroke: colors.grid, width: 1 } };
  return [
    { ...common, space: 64, incrs: increments(step), values: (_, splits, __, ___, between) => splits.map((at) => words.axisDate(at, between)) },
    { ...common, size: (_, shown) => Math.max(56, 18 + 7.5 * Math.max(0, ...(shown ?? []).map((it) => it?.length ?? 0))), values: (_, splits) => splits.map((v) => words.axisNumber(v, splits[splits.length - 1])) },
  ];
}

/** Distances between two labels, in seconds: no part of a period. uPlot knows 30 days for a month, 365 for a year. */
const increments = (step) => [1, 2, 7, 14, 30, 60, 90, 180, 365, 730].filter((days) => days >= step).map((days) => days * DAY);

function clamp(low, high, full, step) {
  const least = 7 * step * DAY;
  const width = Math.min(Math.max(high - low, least), full[1] - full[0]);
  const from = Math.min(Math.max(low, full[0]), full[1] - width);
  return [from, from + width];
}

/** Under the lines: what is still to come, and the marked days. */
function behind(u, model, colors) {
  const { left, top, width, height } = u.bbox;
  const x = (at) => Math.min(Math.max(u.valToPos(at, "x", true), left), left + width);
  const { ctx } = u;
  ctx.save();
  if (model.boundary) {
    const from = x(seconds(model.boundary) + (model.step * DAY) / 2);
    ctx.fillStyle = colors.future;
    ctx.fillRect(from, top, left + width - from, height);
  }
  for (const mark of model.marks) {
    const [from, to] = [x(seconds(mark.first) - DAY / 2), x(seconds(mark.last) + DAY / 2)];
    if (to <= from) continue;
    ctx.globalAlpha = 0.16;
    ctx.fillStyle = colors[markOf(mark.kind)];
    ctx.fillRect(from, top, Math.max(to - from, uPlot.pxRatio), height);
  }
  ctx.restore();
}

/** Over the lines: a sign for each marked stretch, above the plot; its form tells its kind. */
function before(u, model, colors) {
  const { left, top, width } = u.bbox;
  const { ctx } = u;
  const px = uPlot.pxRatio;
  const middle = top - 8 * px;
  ctx.save();
  for (const mark of model.marks) {
    const [first, last] = [u.valToPos(seconds(mark.first), "x", true), u.valToPos(seconds(mark.last), "x", true)];
    if (last < left || first > left + width) continue;
    const kind = markOf(mark.kind);
    ctx.fillStyle = ctx.strokeStyle = colors[kind];
    ctx.lineWidth = 2 * px;
    ctx.beginPath();
    if (kind === "promotion") {
      const [from, to] = [Math.max(first, left), Math.min(last, left + width)];
      ctx.rect(from - 3 * px, middle - 2 * px, to - from + 6 * px, 4 * px);
      ctx.fill();
    } else {
      const centre = Math.min(Math.max((first + last) / 2, left), left + width);
      if (kind === "holiday") diamond(ctx, centre, middle, 5 * px);
      else ctx.arc(centre, middle, 3.5 * px, 0, 2 * Math.PI);
      kind === "holiday" ? ctx.fill() : ctx.stroke();
    }
  }
  ctx.restore();
}

function diamond(ctx, x, y, r) {
  ctx.moveTo(x, y - r);
  ctx.lineTo(x + r, y);
  ctx.lineTo(x, y + r);
  ctx.lineTo(x - r, y);
  ctx.closePath();
}
