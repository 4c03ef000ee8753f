// API keys of a tenant: for the machines that read it.

import { api, at } from "../api.js";
import { fmt, t } from "../i18n.js";
import { Asked, Dialog, Field, Heading, html, Mark, Problem, Table, useAsk, useState, useWork } from "../ui.js";
import { scopeName } from "../words.js";

export default function Keys({ tenant, may, scopes }) {
  const asked = useAsk((signal) => api.get(at(tenant, "keys"), {}, { signal }), [tenant]);
  const [isMaking, setMaking] = useState(false);
  const [made, setMade] = useState(null);
  const [revoking, setRevoking] = useState(null);
  const finish = (key) => {
    setMaking(false);
    setMade(key);
    asked.again();
  };
  const revoked = () => {
    setRevoking(null);
    asked.again();
  };
  return html`<${Heading}>${t("place.keys")}<//>
    <p>${t("keys.why")}</p>
    ${may("keys:write") &&
    html`<p class="actions"><button type="button" class="main" onClick=${() => setMaking(true)}>${t("keys.make")}</button></p>`}
    <section aria-labelledby="keys">
      <h2 id="keys">${t("keys.there")}</h2>
      <${Asked} of=${asked}>
        ${({ keys }) => html`<${List} keys=${keys} onRevoke=${may("keys:write") ? setRevoking : null} />`}
      <//>
    </section>
    <${Dialog} title=${t("keys.make")} isOpen=${isMaking} onClose=${() => setMaking(false)}>
      <${Make} tenant=${tenant} scopes=${scopes} onMade=${finish} />
    <//>
    <${Dialog} title=${t("keys.made")} isOpen=${made !== null} onClose=${() => setMade(null)}>
      <${Made} made=${made} onDone=${() => setMade(null)} />
    <//>
    <${Dialog} title=${t("keys.revoke")} isOpen=${revoking !== null} onClose=${() => setRevoking(null)}>
      <${Revoke} tenant=${tenant} of=${revoking} onDone=${revoked} />
    <//>`;
}

function List({ keys, onRevoke }) {
  const columns = [
    { label: t("keys.name"), isHead: true, cell: (k) => k.name },
    { label: t("keys.prefix"), cell: (k) => html`<code>${k.prefix}</code>` },
    { label: t("keys.scopes"), kind: "wide", cell: (k) => fmt.list(k.scopes.map(scopeName)) },
    { label: t("keys.by"), cell: (k) => k.created_by.replace(/^user:/, "") },
    { label: t("keys.until"), isNumber: true, cell: (k) => fmt.date(k.expires_at.slice(0, 10)) },
    { label: t("run.status"), cell: state },
  ];
  if (onRevoke) {
    const button = (k) =>
      isGood(k) &&
      html`<button type="button" class="bad" aria-label=${t("keys.revoke-this", { name: k.name })} onClick=${() => onRevoke(k)}>
        ${t("keys.revoke-short")}
      </button>`;
    columns.push({ label: t("keys.change"), cell: button });
  }
  return html`<${Table}
    caption=${t("keys.there")}
    isCaptionHidden
    columns=${columns}
    rows=${keys}
    rowKey=${(k) => k.prefix}
    empty=${t("keys.none")}
  />`;
}

function isGood(key) {
  return !key.revoked_at && new Date(key.expires_at) > new Date();
}

function state(key) {
  if (key.revoked_at) return html`<${Mark}>${t("keys.revoked", { at: fmt.date(key.revoked_at.slice(0, 10)) })}<//>`;
  return isGood(key) ? html`<${Mark} kind="good">${t("keys.good")}<//>` : html`<${Mark} kind="warn">${t("keys.ended")}<//>`;
}

function Make({ tenant, scopes, onMade }) {
  const [name, setName] = useState("");
  const [days, setDays] = useState("365");
  const [chosen, setChosen] = useState([]);
  const work = useWork(async () => onMade(await api.post(at(tenant, "keys"), { name, scopes: chosen, days: Number(days) })));
  const tick = (scope, isOn) => setChosen(isOn ? [...chosen, scope] : chosen.filter((one) => one !== scope));
  const submit = (event) => {
    event.preventDefault();
    work.run();
  };
  return html`<form onSubmit=${submit}>
    <${Field} label=${t("keys.name")} hint=${t("keys.name-hint")} value=${name} onInput=${setName} maxlength="100" required />
    <${Field} label=${t("keys.days")} type="number" min="1" max="730" value=${days} onInput=${setDays} required />
    <fieldset>
      <legend>${t("keys.scopes")}</legend>
      ${scopes.map(
        (scope) => html`<label class="tick" key=${scope}>
          <input type="checkbox" checked=${chosen.includes(scope)} onChange=${(e) => tick(scope, e.currentTarget.checked)} />
          ${scopeName(scope)}
        </label>`,
      )}
    </fieldset>
    ${work.error && html`<${Problem} error=${work.error} />`}
    <button class="main" disabled=${work.isBusy || !chosen.length}>${t("keys.make")}</button>
  </form>`;
}

function Made({ made, onDone }) {
  return html`<p>${t("keys.made-why")}</p>
    <p><code class="secret">${made.key}</code></p>
    <div class="actions">
      <button type="button" onClick=${() => navigator.clipboard?.writeText(made.key)}>${t("copy")}</button>
      <button type="button" class="main" onClick=${onDone}>${t("factor.kept")}</button>
    </div>`;
}

function Revoke({ tenant, of, onDone }) {
  const work = useWork(async () => {
    await api.post(`${at(tenant, "keys", of.prefix)}/revoke`);
    onDone();
  });
  return html`<p>${t("keys.revoke-why", { name: of.name })}</p>
    ${work.error && html`<${Problem} error=${work.error} />`}
    <button type="button" class="bad" disabled=${work.isBusy} onClick=${work.run}>${t("keys.revoke")}</button>`;
}
