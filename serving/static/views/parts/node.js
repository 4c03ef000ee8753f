// A node, a place in the hierarchy: {site, product_group, product_sub_group, product}, each a code, null for "all", or
// "" for what has none that is known.

import { t } from "../../i18n.js";
import { href } from "../../router.js";

export const FIELDS = ["site", "product_group", "product_sub_group", "product"];
export const ALL = Object.freeze(Object.fromEntries(FIELDS.map((field) => [field, null])));

export const nodeOf = (row) => Object.fromEntries(FIELDS.map((field) => [field, row[field] ?? null]));
export const keyOf = (node) => JSON.stringify(FIELDS.map((field) => node[field] ?? null));

/** The node of a child, as the API tells it, under its parent. */
export function childOf(parent, row) {
  const field = row.level === "product" || row.level === "site" ? row.level : `product_${row.level}`;
  return { ...row, ...nodeOf(parent), [field]: row[field] ?? "" };
}

/** Whether they are the same place; of a series its groups need not be known. */
export const isSame = (a, b) => (isSeries(a) && isSeries(b) ? a.site === b.site && a.product === b.product : keyOf(a) === keyOf(b));

/** Whether `node` holds `other`, or is it. */
export const holds = (node, other) => FIELDS.every((field) => node[field] == null || (node[field] || null) === (other[field] ?? null));

/** Whether there are sums of it: what is not known of a group has none. */
export const hasForecast = (node) => isSeries(node) || FIELDS.every((field) => node[field] !== "");

/** Whether one of them holds a part of the other. */
export const meets = (a, b) => FIELDS.every((field) => a[field] == null || b[field] == null || a[field] === b[field]);

/** A series is one product at one site. */
export const isSeries = (node) => node.site != null && node.product != null;

/** The node as parameters of an address of the API. */
export const paramsOf = (node) => Object.fromEntries(FIELDS.filter((field) => node[field] != null).map((field) => [field, node[field]]));

/** The level under which the sums of a node stand: tenant, site/group, ... */
export function levelOf(node) {
  const top = node.site == null ? "tenant" : "site";
  if (node.product != null) return `${top}/product`;
  if (node.product_sub_group != null) return `${top}/sub_group`;
  return node.product_group == null ? top : `${top}/group`;
}

/** How the page names it: the last part of its place, or all of the tenant. */
export const nameOf = (node) => {
  const parts = FIELDS.map((field) => node[field]).filter((part) => part != null);
  return node.name ?? (parts.length ? parts.at(-1) || t("node.unknown") : t("node.all"));
};

/** The whole place in words, from the site down. */
export const placeOf = (node) => {
  const parts = FIELDS.map((field) => node[field]).filter(Boolean);
  return parts.length ? parts.join(" › ") : t("node.all");
};

/** Where the page shows its forecast. */
export const linkTo = (tenant, node) =>
  isSeries(node) ? href(tenant, "forecast", node.site, node.product) : href(tenant, "forecast", paramsOf(node));
