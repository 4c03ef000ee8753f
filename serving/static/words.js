// Names of what the platform calls by codes, in the reader's words. What has no words is shown as it is.

import { knows, t } from "./i18n.js";

/** A table, with its zone where there are two of it: {contract, zone}. */
export function tableName({ contract, zone }) {
  const name = named("table", contract);
  return zone === "bronze" ? t("table.bronze", { name }) : name;
}

export function jobName(job) {
  return named("job", job);
}

export function measureName(measure) {
  return named("measure", measure);
}

export function scopeName(scope) {
  return named("scope", scope);
}

const PERIOD = "(days?|weeks?)";
const REASONS = [
  ["no-champion", /^no champion yet/],
  ["no-skill", /^no skill/],
  ["no-sales", new RegExp(`^nothing sold for (\\d+) ${PERIOD}`)],
  ["young", new RegExp(`^first sold (\\d+) ${PERIOD} ago, a model needs (\\d+)`)],
  ["gaps", new RegExp(`^(\\d+) of the last (\\d+) ${PERIOD} are known`)],
];

/** Why a fallback stood in: the jobs write it down in English sentences of a few kinds. */
export function fallbackReason(reason) {
  for (const [kind, pattern] of REASONS) {
    const found = reason?.match(pattern);
    if (!found) continue;
    const [n, m] = found.slice(1).filter((part) => /^\d+$/.test(part)).map(Number);
    const period = found.some((part) => part.startsWith("week")) && found.length > 1 ? "week" : "day";
    return t(`fallback.${kind}`, { n, m, period: t(`period.${period}`, { n }) });
  }
  return reason ?? "";
}

function named(kind, code) {
  const key = `${kind}.${code}`;
  return knows(key) ? t(key) : code;
}
