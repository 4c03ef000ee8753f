// Words and formats in the language of the reader. Turkish unless he chose English.

import en from "./i18n/en.js";
import tr from "./i18n/tr.js";
import viewsEn from "./i18n/views.en.js";
import viewsTr from "./i18n/views.tr.js";
import { keep, kept } from "./keep.js";

export const LANGUAGES = { tr: "Türkçe", en: "English" };
export const DICTIONARIES = { tr: { ...tr, ...viewsTr }, en: { ...en, ...viewsEn } };
const LOCALES = { tr: "tr-TR", en: "en-GB" };
const listeners = new Set();
const made = new Map();
let currency = null; // of the tenant that is looked at
let chosen = kept("language") === "en" ? "en" : "tr";

export function language() {
  return chosen;
}

export function setLanguage(name) {
  chosen = name;
  keep("language", name);
  document.documentElement.lang = name;
  for (const listener of listeners) listener();
}

/** What money is in from now on (ISO 4217); null: it is shown as plain numbers. */
export function setCurrency(code) {
  currency = code ?? null;
}

/** Calls `listener` after each change of language; returns the way to stop it. */
export function onLanguage(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * The words of `key`. "{name}" takes `values.name`, numbers as the language writes them. An entry with plural forms
 * ({one, other}, as Intl.PluralRules names them) is chosen by `values.n`. Throws on a key that there is not.
 */
export function t(key, values = {}) {
  const entry = DICTIONARIES[chosen][key];
  if (entry === undefined) throw new Error(`no words for "${key}" in ${chosen}`);
  const form = typeof entry === "string" ? entry : (entry[plural(values.n)] ?? entry.other);
  return form.replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
}

/** Whether there are words of `key`. */
export function knows(key) {
  return key in DICTIONARIES[chosen];
}

function shown(value) {
  return typeof value === "number" ? fmt.number(value) : String(value ?? "");
}

function plural(n) {
  return format("PluralRules", {}).select(n ?? 0);
}

/** An Intl format of the language, made once: making one takes as long as a hundred uses. */
function format(kind, options) {
  const key = chosen + kind + JSON.stringify(options);
  if (!made.has(key)) made.set(key, new Intl[kind](LOCALES[chosen], options));
  return made.get(key);
}

const NONE = "–";
const AGES = [["day", 86400], ["hour", 3600], ["minute", 60]];

/** Formats; null and undefined are a dash. */
export const fmt = {
  /** 1234.5 -> "1.234,5"; `digits` after the decimal mark, at most. */
  number: (value, digits = 0) =>
    isNone(value) ? NONE : format("NumberFormat", { maximumFractionDigits: digits }).format(value),
  /** The same with its sign, also a plus. */
  signed: (value, digits = 0) =>
    isNone(value)
      ? NONE
      : format("NumberFormat", { maximumFractionDigits: digits, signDisplay: "exceptZero" }).format(value),
  /** A share: 0.123 -> "%12,3". */
  percent: (value, digits = 0, signed = false) =>
    isNone(value)
      ? NONE
      : format("NumberFormat", {
          style: "percent",
          maximumFractionDigits: digits,
          signDisplay: signed ? "exceptZero" : "auto",
        }).format(value),
  /** Money of the tenant, in whole units (`digits` for prices); without a currency it is a plain number. */
  money: (value, { digits = 0, isSigned = false } = {}) =>
    isNone(value)
      ? NONE
      : format("NumberFormat", {
          ...(currency ? { style: "currency", currency } : {}),
          minimumFractionDigits: currency ? digits : 0,
          maximumFractionDigits: digits,
          signDisplay: isSigned ? "exceptZero" : "auto",
        }).format(value),
  /** A day "2026-03-01" -> "1 Mar 2026"; `options` of Intl.DateTimeFormat. */
  date: (day, options = { day: "numeric", month: "short", year: "numeric" }) =>
    isNone(day) ? NONE : format("DateTimeFormat", { ...options, timeZone: "UTC" }).format(new Date(`${day}T00:00:00Z`)),
  /** From a day to a day, both included, as short as the language allows: "2–8 Mar 2026". */
  span: (first, last) =>
    format("DateTimeFormat", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }).formatRange(
      new Date(`${first}T00:00:00Z`),
      new Date(`${last}T00:00:00Z`),
    ),
  /** A day with its weekday. */
  day: (day) => fmt.date(day, { weekday: "short", day: "numeric", month: "short" }),
  /** A day with all that belongs to it, as of a field; nothing where it is none. */
  written: (day) =>
    /^\d{4}-\d\d-\d\d$/.test(day ?? "") ? fmt.date(day, { weekday: "long", day: "numeric", month: "long", year: "numeric" }) : "",
  /** A moment in the reader's own time. */
  moment: (iso) =>
    isNone(iso)
      ? NONE
      : format("DateTimeFormat", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(
          new Date(iso),
        ),
  /** How long ago: 7200 -> "2 hours ago". */
  ago: (seconds) => {
    if (isNone(seconds)) return NONE;
    const [unit, size] = AGES.find(([, s]) => seconds >= s) ?? AGES[2];
    return format("RelativeTimeFormat", { numeric: "auto" }).format(-Math.floor(seconds / size), unit);
  },
  /** How long it took: 150 -> "3 min"; under two minutes in seconds. */
  duration: (seconds) => {
    if (isNone(seconds)) return NONE;
    const [value, unit] = seconds < 120 ? [seconds, "second"] : [seconds / 60, "minute"];
    return format("NumberFormat", { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 0 }).format(value);
  },
  /** "a, b and c". */
  list: (words) => format("ListFormat", { type: "conjunction" }).format(words),
};

function isNone(value) {
  return value === null || value === undefined || Number.isNaN(value);
}
