// Addresses in the page: #/TENANT/PLACE/... with a query after "?". Links are plain links; the browser's back works.

import { useEffect, useState } from "./vendor/standalone.module.js";

/** href("acme", "forecast", "ankara", "P/1", {days: 7}) -> "#/acme/forecast/ankara/P%2F1?days=7" */
export function href(...parts) {
  const last = parts.at(-1);
  const query = typeof last === "object" && last !== null ? parts.pop() : {};
  const text = new URLSearchParams(Object.entries(query).filter(([, v]) => v !== null && v !== undefined && v !== ""));
  return `#/${parts.map(encodeURIComponent).join("/")}${text.size ? `?${text}` : ""}`;
}

/** Where the page is: {tenant, place, rest: [...], query: {name: value}}. */
export function route(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [tenant = "", place = "", ...rest] = path.split("/").filter(Boolean).map(decoded);
  return { tenant, place, rest, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** Goes there; with `replace` the present address is forgotten. */
export function go(address, { replace = false } = {}) {
  if (replace) location.replace(address);
  else location.hash = address;
}

/** The route, anew after each change of address. */
export function useRoute() {
  const [now, set] = useState(() => route());
  useEffect(() => {
    const changed = () => set(route());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return now;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // typed by hand
  }
}
