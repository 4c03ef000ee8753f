// The audit log of a tenant: every change, each refused access, the newest first.

import { at } from "../api.js";
import { fmt, knows, t } from "../i18n.js";
import { Asked, Field, Heading, html, Mark, More, Table, usePages, useState } from "../ui.js";

export default function Audit({ tenant }) {
  const [asked, setAsked] = useState({ actor: "", action: "" });
  const [typed, setTyped] = useState("");
  const pages = usePages(at(tenant, "audit"), { ...asked, limit: 100 }, "rows");
  const search = (event) => {
    event.preventDefault();
    const name = typed.trim();
    setAsked({ ...asked, actor: !name || name.includes(":") ? name : `user:${name}` });
  };
  return html`<${Heading}>${t("place.audit")}<//>
    <p>${t("audit.why")}</p>
    <form class="filters" onSubmit=${search}>
      <${Field} label=${t("audit.actor")} value=${typed} onInput=${setTyped} autocapitalize="none" />
      <${Field}
        label=${t("audit.action")}
        value=${asked.action}
        onInput=${(action) => setAsked({ ...asked, action })}
        options=${[["", t("all")], ["denied", t("audit.denied")]]}
      />
      <div class="field"><button>${t("audit.search")}</button></div>
    </form>
    <section aria-labelledby="audit">
      <h2 id="audit">${t("audit.rows")}</h2>
      <${Asked} of=${pages}>${({ rows }) => html`<${Rows} rows=${rows} />`}<//>
      <${More} of=${pages} />
    </section>`;
}

function Rows({ rows }) {
  const columns = [
    { label: t("audit.at"), cell: (r) => html`<span class="number">${fmt.moment(r.at)}</span>` },
    { label: t("audit.actor"), isHead: true, cell: (r) => r.actor.replace(/^user:/, "") },
    { label: t("audit.action"), cell: action },
    { label: t("audit.target"), kind: "wide", cell: (r) => r.target },
    { label: t("audit.detail"), kind: "wide", cell: detail },
    { label: t("audit.from"), cell: (r) => r.address },
    { label: t("audit.request"), cell: (r) => html`<code>${r.request_id}</code>` },
  ];
  return html`<${Table}
    caption=${t("audit.rows")}
    isCaptionHidden
    columns=${columns}
    rows=${rows}
    rowKey=${(r) => r.audit_id}
    empty=${t("audit.none")}
  />`;
}

function action(row) {
  const words = knows(`action.${row.action}`) ? t(`action.${row.action}`) : row.action;
  return row.action === "denied" ? html`<${Mark} kind="warn">${words}<//>` : words;
}

function detail(row) {
  return Object.entries(row.detail)
    .map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(", ") : value}`)
    .join("; ");
}
