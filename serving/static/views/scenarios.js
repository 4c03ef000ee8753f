// What if: plans beside the plan. A list of them; one of them with its changes and its difference to another plan.

import { api, at } from "../api.js";
import { fmt, t } from "../i18n.js";
import { go, href } from "../router.js";
import { announce, Asked, Dialog, Field, Heading, html, Problem, Table, useAsk, useState, useWork } from "../ui.js";
import { who } from "./parts/numbers.js";
import { Scenario } from "./parts/scenario.js";

export default function Scenarios({ tenant, may, rest, query }) {
  const [id] = rest;
  const found = useAsk((signal) => api.all(at(tenant, "scenarios"), { limit: 200 }, "scenarios", { signal }), [tenant, id]); // 500 at most
  return html`<${Asked} of=${found}>
    ${(scenarios) => id ? html`<${Scenario} key=${id} ...${{ tenant, may, id, query, scenarios }} />` : html`<${List} ...${{ tenant, may, scenarios }} again=${found.again} />`}
  <//>`;
}

function List({ tenant, may, scenarios, again }) {
  const [copied, setCopied] = useState(null); // what a new one begins with
  const [dropped, setDropped] = useState(null);
  const isWriter = may("plans:write");
  const columns = [
    { label: t("scenario.name"), isHead: true, cell: (row) => html`<a href=${href(tenant, "scenarios", row.scenario_id)}>${row.name}</a>` },
    { label: t("scenario.changes"), isNumber: true, cell: (row) => fmt.number(row.changes) },
    { label: t("scenario.night"), cell: (row) => fmt.date(row.night) },
    { label: t("scenario.by"), cell: (row) => html`${who(row.changed_by)} <span class="small">${fmt.moment(row.changed_at)}</span>` },
    {
      label: t("actions"),
      cell: (row) => isWriter && html`<div class="buttons">
        <button type="button" aria-label=${t("scenario.copy-of", { name: row.name })} onClick=${() => setCopied(row.scenario_id)}>${t("scenario.copy")}</button>
        <button type="button" class="bad" aria-label=${t("scenario.drop-of", { name: row.name })} onClick=${() => setDropped(row)}>${t("scenario.drop")}</button>
      </div>`,
    },
  ];
  return html`
    <${Heading} note=${t("scenario.note")}>${t("place.scenarios")}<//>
    <section>
      ${isWriter && html`<p class="actions"><button type="button" class="main" onClick=${() => setCopied("baseline")}>${t("scenario.make")}</button></p>`}
      ${scenarios.length > 0 && html`<p class="hint">${t("scenario.count", { n: scenarios.length })}</p>`}
      <${Table} caption=${t("place.scenarios")} isCaptionHidden columns=${columns} rows=${scenarios} rowKey=${(row) => row.scenario_id} empty=${t("scenario.none")} />
    </section>
    <${Dialog} title=${t("scenario.make")} isOpen=${copied !== null} onClose=${() => setCopied(null)}>
      <${Make} ...${{ tenant, scenarios, from: copied }} onClose=${() => setCopied(null)} />
    <//>
    <${Dialog} title=${t("scenario.drop")} isOpen=${dropped !== null} onClose=${() => setDropped(null)}>
      <${Drop} tenant=${tenant} scenario=${dropped} onClose=${() => setDropped(null)} onDone=${() => (setDropped(null), again())} />
    <//>
  `;
}

/** The plans that a scenario can begin with or be held against. */
export const plansOf = (scenarios) => [["baseline", t("scenario.baseline")], ["final", t("scenario.final")], ...scenarios.map((one) => [one.scenario_id, one.name])];

function Make({ tenant, scenarios, from, onClose }) {
  const [name, setName] = useState("");
  const [copyOf, setCopyOf] = useState(from);
  const [isTried, setTried] = useState(false);
  const work = useWork(async () => {
    const made = await api.post(at(tenant, "scenarios"), { name: name.trim(), copy_of: copyOf });
    announce(t("scenario.made"));
    go(href(tenant, "scenarios", made.scenario_id));
  });
  const submit = (event) => {
    event.preventDefault();
    setTried(true);
    if (name.trim()) work.run();
  };
  return html`<form onSubmit=${submit} novalidate>
    <${Field} label=${t("scenario.name")} required maxlength="100" value=${name} onInput=${setName} error=${isTried && !name.trim() && t("scenario.name-needed")} />
    <${Field} label=${t("scenario.begin")} value=${copyOf} onInput=${setCopyOf} options=${plansOf(scenarios)} />
    ${work.error && html`<${Problem} error=${work.error} />`}
    <div class="actions">
      <button type="submit" class="main" disabled=${work.isBusy}>${t("scenario.make")}</button>
      <button type="button" onClick=${onClose}>${t("cancel")}</button>
    </div>
  </form>`;
}

function Drop({ tenant, scenario, onClose, onDone }) {
  const work = useWork(async () => {
    const path = at(tenant, "scenarios", scenario.scenario_id);
    const { etag } = await api.ask("GET", path);
    await api.del(path, { headers: { "If-Match": etag } });
    announce(t("scenario.dropped"));
    onDone();
  });
  return html`<p>${t("scenario.drop-sure", { name: scenario.name })}</p>
    ${work.error && html`<${Problem} error=${work.error} />`}
    <div class="actions">
      <button type="button" class="bad" disabled=${work.isBusy} onClick=${() => work.run()}>${t("scenario.drop")}</button>
      <button type="button" onClick=${onClose}>${t("cancel")}</button>
    </div>`;
}
