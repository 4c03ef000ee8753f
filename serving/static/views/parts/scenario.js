// One scenario: its changes, and its difference to another plan as a picture and a table.

import { Chart } from "../../chart.js";
import { api, at } from "../../api.js";
import { fmt, t } from "../../i18n.js";
import { isoDay, seconds } from "../../plot.js";
import { go, href } from "../../router.js";
import { announce, Asked, Dialog, Field, Heading, html, Notice, Problem, Table, useAsk, useState, useWork } from "../../ui.js";
import { plansOf } from "../scenarios.js";
import { amount, ChangeFields, draftOf, read } from "./change.js";
import { ALL, FIELDS, isSame, nodeOf, paramsOf, placeOf } from "./node.js";
import { Diverging, pieces, signedPieces, STEPS, who } from "./numbers.js";
import { Search } from "./search.js";
import { Tree } from "./tree.js";

const LEVELS = ["site", "group", "product", "tenant"];

export function Scenario({ tenant, may, id, query, scenarios }) {
  const path = at(tenant, "scenarios", id);
  const found = useAsk((signal) => api.ask("GET", path, { signal }), [id]);
  return html`<${Asked} of=${found}>
    ${({ data, etag }) => html`<${Whole} ...${{ tenant, may, path, etag, query, scenarios }} one=${data} again=${found.again} />`}
  <//>`;
}

function Whole({ tenant, may, path, etag, one, query, scenarios, again }) {
  const [isAdding, setAdding] = useState(false);
  const [isNaming, setNaming] = useState(false);
  const isWriter = may("plans:write");
  const period = one.period ?? "day";
  const save = async (changes, name = one.name) => {
    await api.put(path, { name, changes }, { headers: { "If-Match": etag } });
    announce(t("scenario.saved"));
    again();
  };
  const drop = useWork((change) => save(one.changes.filter((other) => other !== change)));
  const rebase = useWork(async () => {
    await api.post(`${path}/rebase`, undefined, { headers: { "If-Match": etag } });
    announce(t("scenario.rebased"));
    again();
  });
  const columns = [
    { label: t("node"), isHead: true, cell: placeOf },
    { label: t("override.when"), cell: (change) => fmt.span(change.first, change.last) },
    { label: t("override.what"), isNumber: true, cell: (change) => amount(change, period) },
    { label: t("actions"), cell: (change) => isWriter && html`<button type="button" class="bad" aria-label=${t("scenario.take-out-of", { place: placeOf(change) })} disabled=${drop.isBusy} onClick=${() => drop.run(change)}>${t("scenario.take-out")}</button>` },
  ];
  return html`
    <p><a href=${href(tenant, "scenarios")}>← ${t("place.scenarios")}</a></p>
    <${Heading} note=${t("scenario.of-night", { night: fmt.date(one.night), by: who(one.made_by) })}>${one.name}<//>
    ${isWriter && html`<p class="actions"><button type="button" onClick=${() => setNaming(true)}>${t("scenario.rename")}</button></p>`}
    ${one.is_behind && html`<${Notice} kind="warn"><p>${t("scenario.behind", { night: fmt.date(one.night) })}</p>
      ${isWriter && html`<button type="button" disabled=${rebase.isBusy} onClick=${() => rebase.run()}>${t("scenario.rebase")}</button>`}<//>`}
    ${[drop, rebase].map((work) => work.error && html`<${Problem} error=${work.error} />`)}
    <section>
      <header class="section-head">
        <h2>${t("scenario.changes")}</h2>
        ${isWriter && html`<button type="button" class="main" onClick=${() => setAdding(true)}>${t("scenario.add")}</button>`}
      </header>
      <${Table} caption=${t("scenario.changes")} isCaptionHidden columns=${columns} rows=${one.changes} empty=${t("scenario.no-changes")} />
    </section>
    <${Difference} key=${etag} ...${{ tenant, path, one, query, scenarios, period }} />
    <${Dialog} title=${t("scenario.rename")} isOpen=${isNaming} onClose=${() => setNaming(false)}>
      <${Rename} name=${one.name} save=${(name) => save(one.changes, name)} onClose=${() => setNaming(false)} />
    <//>
    <${Dialog} title=${t("scenario.add")} isOpen=${isAdding} onClose=${() => setAdding(false)}>
      <${Add} ...${{ tenant, period, night: one.night }} save=${(change) => save([...one.changes, change])} onClose=${() => setAdding(false)} />
    <//>
  `;
}

function Rename({ name: old, save, onClose }) {
  const [name, setName] = useState(old);
  const work = useWork(async () => {
    await save(name.trim());
    onClose();
  });
  const submit = (event) => {
    event.preventDefault();
    if (name.trim()) work.run();
  };
  return html`<form onSubmit=${submit} novalidate>
    <${Field} label=${t("scenario.name")} required maxlength="100" value=${name} onInput=${setName} error=${!name.trim() && t("scenario.name-needed")} />
    ${work.error && html`<${Problem} error=${work.error} />`}
    <div class="actions">
      <button type="submit" class="main" disabled=${work.isBusy}>${t("save")}</button>
      <button type="button" onClick=${onClose}>${t("cancel")}</button>
    </div>
  </form>`;
}

/** Which node, from when to when, by how much. */
function Add({ tenant, period, night, save, onClose }) {
  const [node, setNode] = useState(ALL);
  const step = STEPS[period];
  const day = (n) => isoDay(seconds(night) + n * 86_400);
  const [draft, setDraft] = useState(() => draftOf({ first: day(1), last: day(7 * step), how: "percent" }));
  const [isTried, setTried] = useState(false);
  const { change, errors } = read(draft);
  const work = useWork(async () => {
    await save({ ...paramsOf(node), ...change });
    onClose();
  });
  const submit = (event) => {
    event.preventDefault();
    setTried(true);
    if (!Object.keys(errors).length) work.run();
  };
  return html`<form onSubmit=${submit} novalidate>
    <fieldset class="pick">
      <legend>${t("scenario.pick")} <strong>${placeOf(node)}</strong></legend>
      <${Search} tenant=${tenant} onPick=${setNode}>
        <${Tree} tenant=${tenant} selected=${node} onSelect=${setNode} />
      <//>
    </fieldset>
    <${ChangeFields} draft=${draft} onInput=${setDraft} errors=${isTried ? errors : {}} period=${period} />
    ${work.error && html`<${Problem} error=${work.error} />`}
    <div class="actions">
      <button type="submit" class="main" disabled=${work.isBusy}>${t("scenario.add")}</button>
      <button type="button" onClick=${onClose}>${t("cancel")}</button>
    </div>
  </form>`;
}

function Difference({ tenant, path, one, query, scenarios, period }) {
  const others = plansOf(scenarios.filter((other) => other.scenario_id !== one.scenario_id));
  const to = others.some(([value]) => value === query.to) ? query.to : "baseline";
  const level = LEVELS.includes(query.level) ? query.level : "site";
  const set = (more) => go(href(tenant, "scenarios", one.scenario_id, { to, level, ...more }), { replace: true });
  const ask = (params, signal) => api.get(`${path}/difference`, { to, ...params }, { signal });
  const found = useAsk(
    async (signal) => {
      const [dates, nodes] = await Promise.all([ask({ level: "tenant", by: "date" }, signal), ask({ level, by: "total" }, signal)]);
      return { dates, nodes };
    },
    [to, level],
  );
  const name = others.find(([value]) => value === to)[1];
  return html`<section>
    <h2>${t("difference.title")}</h2>
    <div class="filters">
      <${Field} label=${t("difference.to")} value=${to} onInput=${(value) => set({ to: value })} options=${others} />
      <${Field} label=${t("difference.level")} value=${level} onInput=${(value) => set({ level: value })} options=${LEVELS.map((value) => [value, t(`difference.level.${value}`)])} />
    </div>
    <${Asked} of=${found}>
      ${({ dates, nodes }) => html`
        <${Totals} totals=${nodes.totals} name=${name} mine=${one.name} />
        <${Chart} key=${to} model=${modelOf(dates, one.name, name, period)} caption=${t("difference.caption", { mine: one.name, name })} />
        <${Rows} rows=${nodes.rows} mine=${one.name} name=${name} />
      `}
    <//>
  </section>`;
}

function modelOf(answer, mine, name, period) {
  const rows = answer.rows;
  return {
    dates: rows.map((row) => row.date),
    step: STEPS[period],
    lines: [
      { look: "forecast", label: mine, values: rows.map((row) => row.units) },
      { look: "other", label: name, values: rows.map((row) => row.other_units) },
    ],
    band: null,
    marks: [],
    boundary: null,
  };
}

const share = (row) => (row.other_units ? row.difference / row.other_units : null);

function Totals({ totals, mine, name }) {
  const figure = (label, main, more) => html`<div><dt>${label}</dt><dd class="main">${main}</dd>${more && html`<dd class="small">${more}</dd>`}</div>`;
  return html`<dl class="figures">
    ${figure(mine, pieces(totals.units))}
    ${figure(name, pieces(totals.other_units))}
    ${figure(t("difference.difference"), signedPieces(totals.difference), fmt.percent(share(totals), 1, true))}
    ${figure(t("difference.value"), totals.value_difference === null ? "–" : fmt.money(totals.value_difference, { isSigned: true }), totals.value_difference === null ? t("difference.no-prices") : null)}
  </dl>`;
}

function Rows({ rows, mine, name }) {
  const moved = rows.filter((row) => Math.abs(row.difference) > 1e-6).sort((a, b) => Math.abs(b.difference) - Math.abs(a.difference));
  const most = Math.max(...moved.map((row) => Math.abs(row.difference)), 1e-9);
  const place = (row) => (isSame(nodeOf(row), ALL) ? t("node.all") : FIELDS.map((field) => row[field]).filter(Boolean).join(" › "));
  const columns = [
    { label: t("node"), isHead: true, cell: place },
    { label: mine, isNumber: true, cell: (row) => pieces(row.units) },
    { label: name, isNumber: true, cell: (row) => pieces(row.other_units) },
    { label: t("difference.difference"), isNumber: true, cell: (row) => signedPieces(row.difference) },
    { label: t("difference.picture"), cell: (row) => html`<${Diverging} share=${row.difference / most} /> <span class="small">${fmt.percent(share(row), 1, true)}</span>` },
    { label: t("difference.value"), isNumber: true, cell: (row) => fmt.money(row.value_difference, { isSigned: true }) },
  ];
  return html`<${Table} caption=${t("difference.rows")} columns=${columns} rows=${moved} empty=${t("difference.none")} />`;
}
