// Runs, checks and quarantine: what happened, with the way to Airflow, MLflow and Data Docs.

import { at } from "../api.js";
import { fmt, t } from "../i18n.js";
import { go, href } from "../router.js";
import { Asked, Field, Heading, html, Mark, More, Table, usePages, useState } from "../ui.js";
import { jobName, tableName } from "../words.js";
import { RESULTS } from "./overview.js";

export default function Quality({ tenant, query }) {
  const [job, setJob] = useState("");
  const status = query.status ?? "";
  const runs = usePages(at(tenant, "runs"), { job, status }, "runs");
  const [isAll, setAll] = useState(false);
  const checks = usePages(at(tenant, "checks"), { failed: isAll ? null : "true" }, "checks");
  const [jobs, setJobs] = useState([]);
  const seen = [...new Set([...jobs, ...(runs.data?.rows ?? []).map((r) => r.job)])].sort();
  if (seen.length > jobs.length) setJobs(seen);
  return html`<${Heading}>${t("place.quality")}<//>
    ${runs.data && html`<${Links} links=${runs.data.head.links} />`}
    <section aria-labelledby="runs">
      <h2 id="runs">${t("runs")}</h2>
      <div class="filters">
        <${Field}
          label=${t("run.job")}
          value=${job}
          onInput=${setJob}
          options=${[["", t("all")], ...jobs.map((name) => [name, jobName(name)])]}
        />
        <${Field}
          label=${t("run.status")}
          value=${status}
          onInput=${(value) => go(href(tenant, "quality", { status: value }), { replace: true })}
          options=${[["", t("all")], ...Object.keys(RESULTS).map((name) => [name, t(`run.${name}`)])]}
        />
      </div>
      <${Asked} of=${runs}>${({ rows }) => html`<${Runs} rows=${rows} />`}<//>
      <${More} of=${runs} />
    </section>
    <${Asked} of=${checks}>
      ${({ head, rows }) => html`<${Quarantine} rows=${head.quarantine} />
        <${Checks} ...${{ rows, isAll, setAll }} of=${checks} />`}
    <//>`;
}

function Links({ links }) {
  const there = ["airflow", "mlflow", "data_docs"].filter((name) => links?.[name]);
  if (!there.length) return null;
  return html`<p class="actions">
    ${there.map(
      (name) => html`<a key=${name} class="button" href=${links[name]} target="_blank" rel="noreferrer">
        ${t(`link.${name}`)} <span aria-hidden="true">↗</span><span class="unseen">${t("link.new-window")}</span>
      </a>`,
    )}
  </p>`;
}

function Runs({ rows }) {
  const columns = [
    { label: t("run.job"), isHead: true, cell: (r) => jobName(r.job) },
    { label: t("run.night"), kind: "short", cell: (r) => fmt.date(r.date) },
    { label: t("run.status"), cell: (r) => html`<${Mark} kind=${RESULTS[r.status]}>${t(`run.${r.status}`)}<//>` },
    { label: t("run.ended"), isNumber: true, cell: (r) => fmt.moment(r.ended_at) },
    { label: t("run.seconds"), isNumber: true, cell: (r) => fmt.duration(r.seconds) },
    { label: t("run.rows"), isNumber: true, cell: (r) => fmt.number(r.rows) },
    { label: t("run.reason"), kind: "wide", cell: (r) => r.reason ?? "" },
  ];
  const key = (r) => `${r.run_id}/${r.job}`;
  return html`<${Table} caption=${t("runs")} isCaptionHidden columns=${columns} rows=${rows} rowKey=${key} empty=${t("run.none")} />`;
}

function Quarantine({ rows }) {
  const columns = [
    { label: t("table"), isHead: true, cell: tableName },
    { label: t("check.rule"), cell: (r) => html`<code>${r.rule}</code>` },
    { label: t("quarantine.rows"), isNumber: true, cell: (r) => fmt.number(r.rows) },
    { label: t("quarantine.last"), isNumber: true, cell: (r) => fmt.moment(r.last_at) },
  ];
  return html`<section aria-labelledby="quarantine">
    <h2 id="quarantine">${t("quarantine")}</h2>
    <p>${t("quarantine.why")}</p>
    <${Table} caption=${t("quarantine")} isCaptionHidden columns=${columns} rows=${rows} empty=${t("quarantine.none")} />
  </section>`;
}

function Checks({ rows, isAll, setAll, of }) {
  const columns = [
    { label: t("table"), isHead: true, cell: (r) => tableName({ contract: r.contract, zone: r.door }) },
    { label: t("check.rule"), cell: (r) => html`<code>${r.rule}</code>` },
    { label: t("check.result"), cell: result },
    { label: t("check.failed"), isNumber: true, cell: (r) => fmt.number(r.rows_failed) },
    { label: t("check.checked"), isNumber: true, cell: (r) => fmt.number(r.rows_checked) },
    { label: t("check.at"), isNumber: true, cell: (r) => fmt.moment(r.checked_at) },
  ];
  return html`<section aria-labelledby="checks">
    <h2 id="checks">${t("checks")}</h2>
    <p>${t("check.why")}</p>
    <label class="tick"><input type="checkbox" checked=${isAll} onChange=${(e) => setAll(e.currentTarget.checked)} /> ${t("check.all")}</label>
    <${Table}
      caption=${t("checks")}
      isCaptionHidden
      columns=${columns}
      rows=${rows}
      empty=${t(isAll ? "check.none" : "check.none-failed")}
    />
    <${More} of=${of} />
  </section>`;
}

function result(row) {
  if (!row.rows_failed) return html`<${Mark} kind="good">${t("check.good")}<//>`;
  return row.severity === "blocks"
    ? html`<${Mark} kind="bad">${t("check.blocks")}<//>`
    : html`<${Mark} kind="warn">${t("check.warns")}<//>`;
}
