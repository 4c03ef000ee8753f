// The plan as a workbook: out, edited, in again after a look at each cell; and as addresses that a spreadsheet reads by itself.

import { api, at, download, LONG_MS } from "../api.js";
import { fmt, language, t } from "../i18n.js";
import { href } from "../router.js";
import { announce, Field, Heading, html, Notice, Problem, Table, useAsk, useState, useWork } from "../ui.js";
import { periodOf } from "./parts/forecast_data.js";
import { Links } from "./parts/links.js";
import { pieces, signedPieces, when } from "./parts/numbers.js";
import { endOfDay } from "./parts/override_dialog.js";

const MOST_SHOWN = 500; // cells of a difference; all are taken

export default function Excel({ tenant, may }) {
  return html`
    <${Heading} note=${t("excel.note")}>${t("place.excel")}<//>
    <div class="columns">
      <${Export} tenant=${tenant} />
      ${may("plans:write") && html`<${Import} tenant=${tenant} />`}
    </div>
    <${Links} tenant=${tenant} may=${may} />
  `;
}

/** The sites of a tenant and the groups of one of them, as choices; a tenant without such a level has none. */
export function useChoices(tenant, site) {
  const found = useAsk(
    async (signal) => {
      const list = async (params) => (await api.get(at(tenant, "hierarchy"), { ...params, limit: 500 }, { signal })).children;
      const top = await list({});
      const below = site ? await list({ site }) : top;
      return { sites: codes(top, "site"), groups: codes(below.filter((row) => row.level === "group"), "product_group") };
    },
    [tenant, site],
  );
  return found.data ?? { sites: [], groups: [] };
}

const codes = (rows, name) => [...new Set(rows.map((row) => row[name]).filter(Boolean))];

/** Site and group, where there are any to choose. */
export function Filters({ tenant, value, onInput }) {
  const { sites, groups } = useChoices(tenant, value.site);
  const choice = (label, name, found) =>
    found.length > 0 &&
    html`<${Field} label=${t(label)} value=${value[name] ?? ""} options=${[["", t("all")], ...found.map((code) => [code, code])]} onInput=${(code) => onInput({ ...value, ...(name === "site" && { product_group: "" }), [name]: code })} />`;
  return html`<div class="filters">${choice("excel.site", "site", sites)} ${choice("excel.group", "product_group", groups)}</div>`;
}

function Export({ tenant }) {
  const [filters, setFilters] = useState({});
  const work = useWork((format) => download(at(tenant, "plan"), { ...filters, format, language: language(), bom: format === "csv" ? true : null }, `plan_${tenant}.${format}`));
  return html`<section>
    <h2>${t("excel.out")}</h2>
    <p>${t("excel.out-words")}</p>
    <${Filters} tenant=${tenant} value=${filters} onInput=${setFilters} />
    ${work.isBusy && html`<p role="status">${t("excel.making")}</p>`}
    ${work.error && html`<${Problem} error=${work.error} />`}
    <div class="actions">
      <button type="button" class="main" disabled=${work.isBusy} onClick=${() => work.run("xlsx")}>${t("excel.xlsx")}</button>
      <button type="button" disabled=${work.isBusy} onClick=${() => work.run("csv")}>${t("excel.csv")}</button>
    </div>
    <p class="hint">${t("excel.out-hint")}</p>
  </section>`;
}

function Import({ tenant }) {
  const [found, setFound] = useState(null);
  const [taken, setTaken] = useState(null);
  const work = useWork(async (file) => {
    setFound(null);
    setTaken(null);
    const [answer, period] = await Promise.all([api.post(at(tenant, "plan", "imports"), file), periodOf(tenant)]);
    setFound({ ...answer, period });
    announce(t("excel.compared", { n: answer.total }));
  });
  const choose = (event) => {
    const [file] = event.currentTarget.files;
    if (file) work.run(file);
    event.currentTarget.value = ""; // the same file, edited again, is another choice
  };
  const done = (answer) => {
    setFound(null);
    setTaken(answer);
  };
  return html`<section>
    <h2>${t("excel.in")}</h2>
    <p>${t("excel.in-words")}</p>
    <${Field} type="file" label=${t("excel.file")} accept=".xlsx,application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" onChange=${choose} disabled=${work.isBusy} />
    ${work.isBusy && html`<p role="status">${t("excel.reading")}</p>`}
    ${work.error && html`<${Problem} error=${work.error} />`}
    ${found && html`<${Difference} ...${{ tenant, found }} onDone=${done} onClose=${() => setFound(null)} />`}
    ${taken &&
    html`<${Notice} kind="good"><p>${t("excel.taken", { n: taken.overrides.length })} <a href=${href(tenant, "overrides")}>${t("excel.see")}</a></p><//>`}
  </section>`;
}

/** What a workbook would change, cell by cell, before it is taken. */
function Difference({ tenant, found, onDone, onClose }) {
  const { changes, problems, total, night, period } = found;
  const columns = [
    { label: t("excel.cell"), isHead: true, cell: (row) => html`<code>${row.cell}</code>` },
    { label: t("excel.series"), cell: (row) => html`${row.name ?? row.product}<p class="small">${row.site} · ${row.product}</p>` },
    { label: t("excel.date"), kind: "day", cell: (row) => when(row.date, period) },
    { label: t("excel.baseline"), isNumber: true, cell: (row) => pieces(row.baseline) },
    { label: t("excel.before"), isNumber: true, cell: (row) => pieces(row.before) },
    { label: t("excel.after"), isNumber: true, cell: (row) => html`<strong>${pieces(row.after)}</strong>${row.formula && html`<p class="small"><code>${row.formula}</code></p>`}` },
    { label: t("excel.difference"), isNumber: true, cell: (row) => signedPieces(row.after - row.before) },
  ];
  return html`
    <h3>${t("excel.compared", { n: total })}</h3>
    <p class="hint">${t("excel.of-night", { night: fmt.date(night) })}</p>
    ${problems.length > 0 && html`<${Problems} problems=${problems} />`}
    <${Table} caption=${t("excel.changes")} isCaptionHidden columns=${columns} rows=${changes.slice(0, MOST_SHOWN)} rowKey=${(row) => row.cell} empty=${t("excel.nothing")} />
    ${total > MOST_SHOWN && html`<p class="hint">${t("excel.first", { n: total, shown: MOST_SHOWN })}</p>`}
    ${total > 0 && !problems.length ? html`<${Take} ...${{ tenant, found, onDone, onClose }} />` : html`<p class="actions"><button type="button" onClick=${onClose}>${t("close")}</button></p>`}
  `;
}

function Problems({ problems }) {
  const columns = [
    { label: t("excel.cell"), isHead: true, cell: (row) => html`<code>${row.cell}</code>` },
    { label: t("excel.problem"), cell: (row) => t(`excel.problem.${row.kind}`) },
    { label: t("excel.value"), cell: (row) => row.value },
  ];
  return html`<${Notice} kind="warn" title=${t("excel.problems", { n: problems.length })}><p>${t("excel.problems-words")}</p><//>
    <${Table} caption=${t("excel.problems", { n: problems.length })} isCaptionHidden columns=${columns} rows=${problems} rowKey=${(row) => row.cell} />`;
}

function Take({ tenant, found, onDone, onClose }) {
  const [reason, setReason] = useState("");
  const [expires, setExpires] = useState("");
  const [isTried, setTried] = useState(false);
  const wrong = isTried && !reason.trim();
  const work = useWork(async () => {
    const answer = await api.post(at(tenant, "plan", "imports", found.import_id, "take"), { reason: reason.trim(), expires_at: expires ? endOfDay(expires) : null }, { limit: LONG_MS });
    announce(t("excel.taken", { n: answer.overrides.length }));
    onDone(answer);
  });
  const submit = (event) => {
    event.preventDefault();
    setTried(true);
    if (reason.trim()) work.run();
  };
  return html`<form onSubmit=${submit} novalidate>
    <${Field} label=${t("override.reason")} hint=${t("override.reason-hint")} required rows="2" maxlength="500" value=${reason} onInput=${setReason} error=${wrong && t("override.reason-needed")} />
    <${Field} type="date" label=${t("override.expires")} hint=${t("excel.expires-hint")} value=${expires} onInput=${setExpires} />
    ${work.error && html`<${Problem} error=${work.error} />`}
    <div class="actions">
      <button type="submit" class="main" disabled=${work.isBusy}>${t("excel.take", { n: found.total })}</button>
      <button type="button" onClick=${onClose}>${t("excel.leave")}</button>
    </div>
  </form>`;
}
