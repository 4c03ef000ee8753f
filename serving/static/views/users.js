// Who has a role at a tenant: for its admin to add, change and reset.

import { api, at } from "../api.js";
import { fmt, t } from "../i18n.js";
import { announce, Asked, Dialog, Field, Heading, html, Mark, Problem, Table, useAsk, useState, useWork } from "../ui.js";

const ROLES = ["viewer", "operator", "auditor", "admin"];

export default function Users({ tenant, may, me }) {
  const asked = useAsk((signal) => api.get(at(tenant, "users"), {}, { signal }), [tenant]);
  const [open, setOpen] = useState(null); // {what: "add" | "role" | "reset" | "take" | "password", user}
  const close = () => setOpen(null);
  const done = (words) => {
    announce(words);
    close();
    asked.again();
  };
  const made = (user) => {
    setOpen({ what: "password", user });
    asked.again();
  };
  const dialog = (what, title, body) => html`<${Dialog} title=${title} isOpen=${open?.what === what} onClose=${close}>${body}<//>`;
  const given = { tenant, user: open?.user, onClose: close };
  return html`<${Heading}>${t("place.users")}<//>
    <p>${t("users.why")}</p>
    ${may("users:write") && html`<p class="actions"><button type="button" class="main" onClick=${() => setOpen({ what: "add" })}>${t("users.add")}</button></p>`}
    <section aria-labelledby="users">
      <h2 id="users">${t("users.there")}</h2>
      <${Asked} of=${asked}>
        ${({ users }) => html`<${List} users=${users} me=${me} onOpen=${may("users:write") ? setOpen : null} />`}
      <//>
    </section>
    ${dialog("add", t("users.add"), html`<${Add} ...${given} onMade=${made} />`)}
    ${dialog("role", t("users.role-of", { name: open?.user?.name }), html`<${Role} ...${given} onDone=${() => done(t("users.changed"))} />`)}
    ${dialog("reset", t("users.reset-of", { name: open?.user?.name }), html`<${Reset} ...${given} onMade=${made} />`)}
    ${dialog("take", t("users.take-of", { name: open?.user?.name }), html`<${Take} ...${given} onDone=${() => done(t("users.taken"))} />`)}
    ${dialog("password", t("users.password"), html`<${Password} ...${given} />`)}`;
}

function List({ users, me, onOpen }) {
  const columns = [
    { label: t("users.name"), isHead: true, cell: (u) => u.name },
    { label: t("users.role"), cell: (u) => t(`role.${u.role}`) },
    { label: t("factor"), cell: (u) => (u.own_login ? "–" : html`<${Mark} kind=${u.second_factor ? "good" : "warn"}>${t(u.second_factor ? "factor.on" : "factor.off")}<//>`) },
    { label: t("run.status"), cell: state },
    { label: t("users.since"), isNumber: true, cell: (u) => fmt.date(u.created_at.slice(0, 10)) },
  ];
  const button = (what, user, kind = "") => html`<button type="button" class=${kind} aria-label=${t(`users.${what}-of`, { name: user.name })} onClick=${() => onOpen({ what, user })}>
    ${t(`users.${what}`)}
  </button>`;
  const canReset = (u) => u.is_only_here && !u.disabled_at && u.name !== me.name;
  if (onOpen) {
    columns.push({
      label: t("actions"),
      cell: (u) => (u.own_login ? html`<span class="small">${t("users.own-login")}</span>` : html`<div class="buttons">${button("role", u)} ${canReset(u) && button("reset", u)} ${button("take", u, "bad")}</div>`),
    });
  }
  return html`<${Table} caption=${t("users.there")} isCaptionHidden columns=${columns} rows=${users} rowKey=${(u) => u.name} empty=${t("users.none")} />`;
}

function state(user) {
  if (user.disabled_at) return html`<${Mark} kind="bad">${t("users.disabled")}<//>`;
  if (!user.password_ends_at) return html`<${Mark} kind="good">${t("users.good")}<//>`;
  return html`<${Mark} kind="warn">${t("users.awaited", { at: fmt.moment(user.password_ends_at) })}<//>`;
}

const RoleField = ({ value, onInput }) => html`<${Field} label=${t("users.role")} value=${value} onInput=${onInput} options=${ROLES.map((role) => [role, t(`role.${role}`)])} />
  <p class="hint">${t(`users.role.${value}`)}</p>`;

function Add({ tenant, onMade, onClose }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState("viewer");
  const work = useWork(async () => onMade(await api.post(at(tenant, "users"), { name, role })));
  return html`<${Form} work=${work} onClose=${onClose} go=${t("users.add")}>
    <${Field} label=${t("users.name")} hint=${t("users.name-hint")} value=${name} onInput=${setName} maxlength="100" required autocomplete="off" autocapitalize="none" spellcheck="false" />
    <${RoleField} value=${role} onInput=${setRole} />
  <//>`;
}

function Role({ tenant, user, onDone, onClose }) {
  const [role, setRole] = useState(user.role);
  const work = useWork(async () => {
    await api.put(at(tenant, "users", user.name), { role });
    onDone();
  });
  return html`<${Form} work=${work} onClose=${onClose} go=${t("save")}><${RoleField} value=${role} onInput=${setRole} /><//>`;
}

function Reset({ tenant, user, onMade, onClose }) {
  const work = useWork(async () => onMade(await api.post(`${at(tenant, "users", user.name)}/reset`)));
  return html`<${Form} work=${work} onClose=${onClose} go=${t("users.reset")}><p>${t("users.reset-why")}</p><//>`;
}

function Take({ tenant, user, onDone, onClose }) {
  const work = useWork(async () => {
    await api.del(at(tenant, "users", user.name));
    onDone();
  });
  return html`<${Form} work=${work} onClose=${onClose} go=${t("users.take")} kind="bad"><p>${t("users.take-why", { name: user.name })}</p><//>`;
}

function Form({ work, go, kind = "main", onClose, children }) {
  const submit = (event) => {
    event.preventDefault();
    work.run();
  };
  return html`<form onSubmit=${submit}>
    ${children} ${work.error && html`<${Problem} error=${work.error} />`}
    <div class="actions">
      <button class=${kind} disabled=${work.isBusy}>${go}</button>
      <button type="button" onClick=${onClose}>${t("cancel")}</button>
    </div>
  </form>`;
}

/** The one-time password, which is told this once. */
function Password({ user, onClose }) {
  return html`<p>${t("users.password-why", { name: user.name, at: fmt.moment(user.password_ends_at) })}</p>
    <p><code class="secret">${user.password}</code></p>
    <div class="actions">
      <button type="button" onClick=${() => navigator.clipboard?.writeText(user.password)}>${t("copy")}</button>
      <button type="button" class="main" onClick=${onClose}>${t("users.told")}</button>
    </div>`;
}
