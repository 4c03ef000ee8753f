// What the forecast view shows of a node: asked for together, and put side by side by date.

import { api, ApiError, at } from "../../api.js";
import { t } from "../../i18n.js";
import { isoDay, marksOf, seconds } from "../../plot.js";
import { childOf, isSeries, levelOf, meets, paramsOf } from "./node.js";
import { STEPS } from "./numbers.js";

const MOST_ROWS = 10_000; // of a plan that is summed here; larger nodes show their overrides in the list alone
const MOST_CODES = 200; // products that one question may name
const PAGE_OVERRIDES = 1000;
const DAY = 86_400;

/** The parts of a node: each is {data} or {error}, apart from the forecast itself, without which there is nothing to show. */
export async function askNode(tenant, node, signal) {
  return isSeries(node) ? askSeries(tenant, node, signal) : askSum(tenant, node, signal);
}

async function askSeries(tenant, node, signal) {
  const { site, product } = node;
  const get = (path, params) => api.get(path, params, { signal });
  const [now, told, past, plan, overrides] = await Promise.all([
    get(at(tenant, "forecasts"), { site, product }),
    part(get(at(tenant, "forecasts", site, product, "explanation"))),
    part(get(at(tenant, "series", site, product))),
    part(get(at(tenant, "plan"), { site, product })),
    part(inForce(tenant, signal)),
  ]);
  const night = told.data?.explanation.night_before ?? dayBefore(now.night);
  const before = await part(get(at(tenant, "forecasts"), { site, product, night }));
  const series = past.data?.series;
  const place = { ...node, product_group: series?.product_group ?? null, product_sub_group: series?.product_sub_group ?? null };
  return {
    head: now,
    hasSums: true,
    node: { ...place, name: series?.name },
    series,
    rows: now.forecasts,
    before: before.data?.forecasts ?? [],
    told: { data: told.data?.explanation, error: told.error },
    history: { data: series?.history, error: past.error },
    events: series?.events ?? [],
    accuracy: { data: series?.accuracy, error: past.error },
    plan: { data: plan.data?.plan, error: plan.error },
    overrides: { data: overrides.data?.filter((one) => meets(one, place)), error: overrides.error },
  };
}

async function askSum(tenant, node, signal) {
  const get = (path, params) => api.get(path, params, { signal });
  const where = paramsOf(node);
  const level = levelOf(node);
  const [sums, past, children, overrides] = await Promise.all([
    part(get(at(tenant, "forecasts", "sums"), { ...where, level })),
    part(get(at(tenant, "history"), where)),
    part(get(at(tenant, "hierarchy"), { ...where, limit: 500 })),
    part(inForce(tenant, signal)),
  ]);
  if (sums.error && (sums.error.kind !== "no-sums" || !children.data)) throw sums.error;
  const now = sums.data ?? { ...children.data, sums: [] };
  const period = now.period ?? (now.sums.some((row) => row.period === "day") ? "day" : "week");
  const [before, plan] = await Promise.all([
    part(get(at(tenant, "forecasts", "sums"), { ...where, level, period, night: dayBefore(now.night) })),
    part(planOf(tenant, node, children.data?.children, signal)),
  ]);
  return {
    head: { ...now, period },
    node,
    hasSums: !sums.error,
    rows: now.sums.filter((row) => row.period === period),
    before: before.data?.sums ?? [],
    history: { data: past.data?.history, error: past.error },
    events: past.data?.events ?? [],
    accuracy: { data: past.data?.accuracy, error: past.error },
    children: { data: children.data?.children.map((row) => childOf(node, row)), error: children.error },
    plan,
    overrides: { data: overrides.data?.filter((one) => meets(one, node)), error: overrides.error },
  };
}

/** The overrides that count at present, those that warn first. */
export async function inForce(tenant, signal) {
  const ask = (state) => api.all(at(tenant, "overrides"), { state, limit: PAGE_OVERRIDES }, "overrides", { signal });
  return (await Promise.all([ask("stale"), ask("active")])).flat();
}

/** The plan's rows of a node; null where they are too many to be added up here. Of a sub-group its products are asked for. */
async function planOf(tenant, node, children = [], signal) {
  const { product_sub_group: isPart, ...where } = paramsOf(node);
  const product = isPart ? children.map((child) => child.product) : null;
  if (isPart && (!product.length || product.length > MOST_CODES)) return null;
  const answer = await api.get(at(tenant, "plan"), { ...where, product, limit: MOST_ROWS }, { signal });
  return answer.next ? null : answer.plan;
}

/** What a tenant's forecasts count in: day or week. */
export const periodOf = async (tenant, signal) => (await api.get(at(tenant, "plan"), { limit: 1 }, { signal })).period;

/** {data} or, where the API refuses, {error}; what is no answer of the API goes on. */
export async function part(promise) {
  try {
    return { data: await promise };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { error };
  }
}

const dayBefore = (day) => isoDay(seconds(day) - DAY);

/** [date, units] of rows, those of one date added up. */
function byDate(rows, units) {
  const sums = new Map();
  for (const row of rows) if (units(row) != null) sums.set(row.date, (sums.get(row.date) ?? 0) + units(row));
  return sums;
}

/** The plan by date: {baseline, final, isOverridden}, or null where it is not there. */
export function planByDate(plan) {
  if (!plan) return null;
  const days = new Map();
  for (const row of plan) {
    const day = days.get(row.date) ?? { baseline: 0, final: 0, isOverridden: false };
    day.baseline += row.baseline;
    day.final += row.final;
    day.isOverridden ||= row.override != null;
    days.set(row.date, day);
  }
  return days;
}

/** The model of the chart (see plot.js). */
export function chartOf(found) {
  const { head, rows, before, history, events, plan } = found;
  const step = STEPS[head.period];
  const past = new Map((history.data?.units ?? []).map((units, i) => [isoDay(seconds(history.data.first_date) + i * step * DAY), units]));
  const maps = {
    history: past,
    before: byDate(before, (row) => row.units_point),
    forecast: byDate(rows, (row) => row.units_point),
    low: byDate(rows, (row) => row.units_q10),
    high: byDate(rows, (row) => row.units_q90),
    final: new Map([...(planByDate(plan.data) ?? [])].flatMap(([date, day]) => (day.isOverridden ? [[date, day.final]] : []))),
  };
  const dates = [...new Set(Object.values(maps).flatMap((map) => [...map.keys()]))].sort();
  const values = (name) => dates.map((date) => maps[name].get(date) ?? null);
  const lines = ["history", "before", "forecast", "final"].filter((look) => maps[look].size);
  return {
    dates,
    step,
    lines: lines.map((look) => ({ look, label: t(`chart.line.${look}`), values: values(look) })),
    band: { label: t("chart.line.band"), low: values("low"), high: values("high") },
    marks: marksOf(events),
    boundary: head.night,
  };
}
