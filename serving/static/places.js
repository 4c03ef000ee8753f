// The places of the page, in the order of the navigation. A place is the second word of an address: #/TENANT/NAME.
// `scope` is what one needs at the tenant to see it (null: nothing). `load` brings the module whose default export is the
// view, a component that gets {tenant, may(scope), scopes, rest, query, me}. Its name in the navigation is the word "place.NAME".

export const PLACES = [
  { name: "overview", scope: "forecasts:read", load: () => import("./views/overview.js") },
  { name: "forecast", scope: "forecasts:read", load: () => import("./views/forecast.js") },
  { name: "overrides", scope: "plans:read", load: () => import("./views/overrides.js") },
  { name: "scenarios", scope: "plans:read", load: () => import("./views/scenarios.js") },
  { name: "excel", scope: "plans:read", load: () => import("./views/excel.js") },
  { name: "quality", scope: "evidence:read", load: () => import("./views/quality.js") },
  { name: "keys", scope: "keys:read", load: () => import("./views/keys.js") },
  { name: "users", scope: "users:read", load: () => import("./views/users.js") },
  { name: "audit", scope: "audit:read", load: () => import("./views/audit.js") },
  { name: "account", scope: null, load: () => import("./views/account.js") },
];
