// Live data links: addresses from which a spreadsheet reads the plan by itself.

import { api, at, withParams } from "../../api.js";
import { fmt, language, t } from "../../i18n.js";
import { isoDay } from "../../plot.js";
import { announce, Asked, Dialog, Field, html, Mark, Notice, Problem, Table, useAsk, useState, useWork } from "../../ui.js";
import { Filters } from "../excel.js";
import { who } from "./numbers.js";
import { endOfDay } from "./override_dialog.js";

const DAYS = 90; // until a new link ends, unless another day is chosen

export function Links({ tenant, may }) {
  const found = useAsk((signal) => api.get(at(tenant, "links"), {}, { signal }), [tenant]);
  const [isMaking, setMaking] = useState(false);
  const isWriter = may("plans:write");
  const revoke = useWork(async (link) => {
    await api.del(at(tenant, "links", link.link_id));
    announce(t("links.revoked"));
    found.again();
  });
  const columns = [
    { label: t("links.name"), isHead: true, cell: (row) => row.name },
    { label: t("links.what"), cell: (row) => [t(`links.what.${row.what}`), ...Object.values(row.filters ?? {}).flat()].filter(Boolean).join(" · ") },
    { label: t("links.by"), cell: (row) => html`${who(row.created_by)} <span class="small">${fmt.moment(row.created_at)}</span>` },
    { label: t("override.expires"), cell: (row) => (row.revoked_at ? html`<${Mark}>${t("links.ended")}<//>` : fmt.moment(row.expires_at)) },
    { label: t("actions"), cell: (row) => isWriter && !row.revoked_at && html`<button type="button" class="bad" aria-label=${t("links.revoke-of", { name: row.name })} disabled=${revoke.isBusy} onClick=${() => revoke.run(row)}>${t("links.revoke")}</button>` },
  ];
  return html`<section>
    <header class="section-head">
      <h2>${t("links.title")}</h2>
      ${isWriter && html`<button type="button" onClick=${() => setMaking(true)}>${t("links.make")}</button>`}
    </header>
    <p>${t("links.words")}</p>
    ${revoke.error && html`<${Problem} error=${revoke.error} />`}
    <${Asked} of=${found}>
      ${({ links }) => html`<${Table} caption=${t("links.title")} isCaptionHidden columns=${columns} rows=${links} rowKey=${(row) => row.link_id} empty=${t("links.none")} />`}
    <//>
    <${Dialog} title=${t("links.make")} isOpen=${isMaking} onClose=${() => setMaking(false)}>
      <${Make} tenant=${tenant} onClose=${() => setMaking(false)} onMade=${found.again} />
    <//>
  </section>`;
}

function Make({ tenant, onClose, onMade }) {
  const [name, setName] = useState("");
  const [what, setWhat] = useState("plan");
  const [filters, setFilters] = useState({});
  const [expires, setExpires] = useState(() => isoDay(Date.now() / 1000 + DAYS * 86_400));
  const [isTried, setTried] = useState(false);
  const [url, setUrl] = useState(null);
  const work = useWork(async () => {
    const wanted = Object.fromEntries(Object.entries(filters).filter(([, code]) => code).map(([name, code]) => [name, [code]]));
    const made = await api.post(at(tenant, "links"), { name: name.trim(), what, filters: wanted, expires_at: endOfDay(expires) });
    // a Turkish spreadsheet reads ; between fields and a comma before decimals
    setUrl(withParams(new URL(made.url, location.href).href, { language: language() }));
    onMade();
  });
  const submit = (event) => {
    event.preventDefault();
    setTried(true);
    if (name.trim() && expires) work.run();
  };
  if (url) return html`<${Made} url=${url} onClose=${onClose} />`;
  return html`<form onSubmit=${submit} novalidate>
    <${Field} label=${t("links.name")} hint=${t("links.name-hint")} required maxlength="100" value=${name} onInput=${setName} error=${isTried && !name.trim() && t("scenario.name-needed")} />
    <${Field} label=${t("links.what")} value=${what} onInput=${setWhat} options=${["plan", "forecasts"].map((one) => [one, t(`links.what.${one}`)])} />
    <${Filters} tenant=${tenant} value=${filters} onInput=${setFilters} />
    <${Field} type="date" label=${t("override.expires")} required value=${expires} onInput=${setExpires} error=${isTried && !expires && t("change.date-needed")} />
    ${work.error && html`<${Problem} error=${work.error} />`}
    <div class="actions">
      <button type="submit" class="main" disabled=${work.isBusy}>${t("links.make")}</button>
      <button type="button" onClick=${onClose}>${t("cancel")}</button>
    </div>
  </form>`;
}

/** The address, which is told this once. */
function Made({ url, onClose }) {
  const copy = async () => {
    await navigator.clipboard.writeText(url);
    announce(t("links.copied"));
  };
  return html`<${Notice} kind="good" title=${t("links.made")}><p>${t("links.once")}</p><//>
    <${Field} label=${t("links.url")} value=${url} readonly onFocus=${(event) => event.currentTarget.select()} />
    <p class="hint">${t("links.how")}</p>
    <div class="actions">
      <button type="button" class="main" onClick=${copy}>${t("links.copy")}</button>
      <button type="button" onClick=${onClose}>${t("close")}</button>
    </div>`;
}
