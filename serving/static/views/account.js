// The user's own account: password, second factor, sessions.

import { api } from "../api.js";
import { t } from "../i18n.js";
import { Dialog, Field, Heading, html, Mark, Notice, Problem, useState, useWork } from "../ui.js";

export default function Account({ me, renew }) {
  return html`<${Heading}>${t("place.account")}<//>
    <p>${t("account.name")} <strong>${me.name}</strong></p>
    ${me.own_login
      ? html`<${Notice}><p>${t("account.own-login", { issuer: me.own_login })}</p><//>`
      : html`<div class="columns"><${Password} /><${SecondFactor} me=${me} renew=${renew} /></div>`}`;
}

function Password() {
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [again, setAgain] = useState("");
  const [isDone, setDone] = useState(false);
  const change = useWork(() => api.post("/v1/me/password", { old, new: fresh }));
  const differs = again !== "" && again !== fresh;
  const submit = async (event) => {
    event.preventDefault();
    setDone(false);
    if (differs || !(await change.run())) return;
    for (const set of [setOld, setFresh, setAgain]) set("");
    setDone(true);
  };
  const field = (key, value, set, autocomplete, more) =>
    html`<${Field}
      label=${t(key)}
      type="password"
      value=${value}
      onInput=${set}
      autocomplete=${autocomplete}
      required
      ...${more}
    />`;
  return html`<section aria-labelledby="password">
    <h2 id="password">${t("account.password")}</h2>
    <form onSubmit=${submit}>
      ${field("account.password-old", old, setOld, "current-password")}
      ${field("account.password-new", fresh, setFresh, "new-password", { hint: t("account.password-hint"), minlength: 12 })}
      ${field("account.password-again", again, setAgain, "new-password", { error: differs && t("account.password-differs") })}
      ${change.error && html`<${Problem} error=${change.error} />`}
      ${isDone && html`<${Notice} kind="good"><p>${t("account.password-done")}</p><//>`}
      <button class="main" disabled=${change.isBusy || differs}>${t("account.password-change")}</button>
    </form>
  </section>`;
}

function SecondFactor({ me, renew }) {
  const [step, setStep] = useState(null); // null, "begin", {secret, address}, {codes}, "remove"
  const done = () => {
    setStep(null);
    renew();
  };
  return html`<section aria-labelledby="second-factor">
    <h2 id="second-factor">${t("factor")}</h2>
    <p>
      ${me.second_factor
        ? html`<${Mark} kind="good">${t("factor.on")}<//>`
        : html`<${Mark} kind="warn">${t("factor.off")}<//>`}
    </p>
    <p>${t(me.second_factor ? "factor.on-why" : "factor.off-why")}</p>
    <button
      type="button"
      class=${me.second_factor ? "bad" : "main"}
      onClick=${() => setStep(me.second_factor ? "remove" : "begin")}
    >
      ${t(me.second_factor ? "factor.remove" : "factor.begin")}
    </button>
    <${Dialog} title=${t("factor.begin")} isOpen=${step === "begin"} onClose=${() => setStep(null)}>
      <${Begin} onBegun=${setStep} />
    <//>
    <${Dialog} title=${t("factor.begin")} isOpen=${Boolean(step?.secret)} onClose=${() => setStep(null)}>
      <${Confirm} enrolment=${step} onCodes=${(codes) => setStep({ codes })} />
    <//>
    <${Dialog} title=${t("factor.codes")} isOpen=${Boolean(step?.codes)} onClose=${done}>
      <${Codes} codes=${step?.codes} onDone=${done} />
    <//>
    <${Dialog} title=${t("factor.remove")} isOpen=${step === "remove"} onClose=${() => setStep(null)}>
      <${Remove} onDone=${done} />
    <//>
  </section>`;
}

function Begin({ onBegun }) {
  const [password, setPassword] = useState("");
  const work = useWork(async () => onBegun(await api.post("/v1/me/second-factor", { password })));
  return html`<form onSubmit=${submitted(work)}>
    <p>${t("factor.password-why")}</p>
    <${PasswordField} value=${password} onInput=${setPassword} />
    ${work.error && html`<${Problem} error=${work.error} />`}
    <button class="main" disabled=${work.isBusy}>${t("next")}</button>
  </form>`;
}

function Confirm({ enrolment, onCodes }) {
  const [code, setCode] = useState("");
  const work = useWork(async () =>
    onCodes((await api.post("/v1/me/second-factor/confirm", { code })).recovery_codes),
  );
  return html`<form onSubmit=${submitted(work)}>
    <ol>
      <li>
        <p>${t("factor.scan")}</p>
        <p><img class="qr" src=${enrolment.qr} alt=${t("factor.qr")} /></p>
        <p>${t("factor.enter")}</p>
        <p><code class="secret">${enrolment.secret.match(/.{1,4}/g).join(" ")}</code></p>
        <p>${t("factor.or")} <a href=${enrolment.address}>${t("factor.link")}</a></p>
      </li>
      <li>
        <${CodeField} label=${t("factor.first-code")} value=${code} onInput=${setCode} />
      </li>
    </ol>
    ${work.error && html`<${Problem} error=${work.error} />`}
    <button class="main" disabled=${work.isBusy}>${t("factor.confirm")}</button>
  </form>`;
}

function Codes({ codes, onDone }) {
  return html`<p>${t("factor.codes-why")}</p>
    <ul class="codes">
      ${codes.map((code) => html`<li key=${code}>${code}</li>`)}
    </ul>
    <div class="actions">
      <button type="button" onClick=${() => navigator.clipboard?.writeText(codes.join("\n"))}>${t("copy")}</button>
      <button type="button" onClick=${() => print()}>${t("print")}</button>
      <button type="button" class="main" onClick=${onDone}>${t("factor.kept")}</button>
    </div>`;
}

function Remove({ onDone }) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const work = useWork(async () => {
    await api.post("/v1/me/second-factor/remove", { password, code });
    onDone();
  });
  return html`<form onSubmit=${submitted(work)}>
    <p>${t("factor.remove-why")}</p>
    <${PasswordField} value=${password} onInput=${setPassword} />
    <${CodeField} label=${t("sign-in.code")} hint=${t("sign-in.code-hint")} value=${code} onInput=${setCode} />
    ${work.error && html`<${Problem} error=${work.error} />`}
    <button class="bad" disabled=${work.isBusy}>${t("factor.remove")}</button>
  </form>`;
}

function PasswordField(given) {
  return html`<${Field}
    label=${t("sign-in.password")}
    type="password"
    autocomplete="current-password"
    required
    ...${given}
  />`;
}

function CodeField(given) {
  return html`<${Field} autocomplete="one-time-code" inputmode="numeric" autocapitalize="none" required ...${given} />`;
}

function submitted(work) {
  return (event) => {
    event.preventDefault();
    work.run();
  };
}
