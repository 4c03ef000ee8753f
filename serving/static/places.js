// The places of the page, in the order of the navigation. A place is the second word of an address: #/TENANT/NAME.
// `scope` is what one needs at the tenant to see it (null: nothing). `load` brings the module whose default export is the
// view, a component that gets {tenant, may(scope), rest, query, me}. Its name in the navigation is the word "place.NAME".

export const PLACES = [
  { name: "account", scope: null, load: () => import("./views/account.js") },
];
