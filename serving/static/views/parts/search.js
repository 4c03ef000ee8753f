// A search over the series of a tenant by code or name; while nothing is typed, what stands in its place.
// A series found is a link to its forecast, or with `onPick` a button.

import { api, at } from "../../api.js";
import { t } from "../../i18n.js";
import { Asked, Field, html, useAsk, useEffect, useState } from "../../ui.js";
import { linkTo, nodeOf } from "./node.js";

const WAIT = 250; // milliseconds after the last letter
const MOST = 30;

export function Search({ tenant, onPick, children }) {
  const [text, setText] = useState("");
  const q = useLater(text.trim(), WAIT);
  return html`<div role="search">
      <${Field} type="search" label=${t("search.label")} value=${text} onInput=${setText} autocomplete="off" />
    </div>
    ${q ? html`<${Found} key=${tenant} tenant=${tenant} q=${q} onPick=${onPick} />` : ""}
    <div hidden=${Boolean(q)}>${children}</div>`;
}

function useLater(value, wait) {
  const [later, set] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => set(value), wait);
    return () => clearTimeout(timer);
  }, [value]);
  return later;
}

function Found({ tenant, q, onPick }) {
  const found = useAsk((signal) => api.get(at(tenant, "series"), { q, limit: MOST }, { signal }), [q]);
  return html`<${Asked} of=${found}>
    ${({ series, total }) => html`
      <p class="small" role="status">${total > series.length ? t("search.first", { n: total, shown: series.length }) : t("search.found", { n: total })}</p>
      <ul class="found">
        ${series.map(
          (one) => html`<li key=${`${one.site}/${one.product}`}>
            ${onPick
              ? html`<button type="button" class="plain" onClick=${() => onPick(nodeOf({ site: one.site, product: one.product }))}>${one.name ?? one.product}</button>`
              : html`<a href=${linkTo(tenant, one)}>${one.name ?? one.product}</a>`}
            <span class="small"> ${one.name ? `${one.product} · ` : ""}${one.site}</span>
          </li>`,
        )}
      </ul>
    `}
  <//>`;
}
