// Signing in: name and password, then the code where a second factor is asked; or the company's own login.

import { signIn } from "../api.js";
import { knows, t } from "../i18n.js";
import { Field, Heading, html, Notice, Problem, useEffect, useRef, useState, useWork } from "../ui.js";

const COMPANY = document.querySelector('meta[name="company-login"]')?.content === "yes";

export default function SignIn() {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [needsCode, setNeedsCode] = useState(false);
  const form = useRef(null);
  const [refusal] = useState(takeRefusal);
  const entering = useWork(() => signIn(name, password, code));
  const { error } = entering;
  useEffect(() => {
    if (error?.kind !== "code-needed") return;
    setNeedsCode(true);
    setCode("");
  }, [error]);
  useEffect(() => form.current.querySelector(needsCode ? "[name=code]" : "[name=username]").focus(), [needsCode]);
  const submit = (event) => {
    event.preventDefault();
    entering.run();
  };
  return html`<div class="panel sign-in">
    <${Heading}>${t("sign-in")}<//>
    <form ref=${form} onSubmit=${submit}>
      ${needsCode
        ? html`<p>${t("sign-in.code-why", { name })}</p>
            <${Field}
              label=${t("sign-in.code")}
              hint=${t("sign-in.code-hint")}
              name="code"
              value=${code}
              onInput=${setCode}
              autocomplete="one-time-code"
              inputmode="text"
              autocapitalize="none"
              required
            />`
        : html`<${Field}
              label=${t("sign-in.name")}
              name="username"
              value=${name}
              onInput=${setName}
              autocomplete="username"
              autocapitalize="none"
              spellcheck="false"
              required
            />
            <${Field}
              label=${t("sign-in.password")}
              name="password"
              type="password"
              value=${password}
              onInput=${setPassword}
              autocomplete="current-password"
              required
            />`}
      ${refusal && !error && html`<${Notice} kind="bad"><p>${t(refusal)}</p><//>`}
      ${error && error.kind !== "code-needed" && html`<${Refused} error=${error} />`}
      <div class="actions">
        <button class="main" disabled=${entering.isBusy}>${t("sign-in.go")}</button>
        ${needsCode &&
        html`<button type="button" onClick=${() => setNeedsCode(false)}>${t("back")}</button>`}
      </div>
    </form>
    ${COMPANY &&
    !needsCode &&
    html`<hr />
      <p><a class="button" href="/v1/auth/oidc/start">${t("sign-in.company")}</a></p>`}
    <p class="small">${t("sign-in.forgotten")}</p>
  </div>`;
}

/** Why the company's login has sent the browser back here, as words; the address forgets it. */
function takeRefusal() {
  const kind = new URLSearchParams(location.search).get("sign-in");
  if (!kind) return null;
  history.replaceState(history.state, "", location.pathname + location.hash);
  if (kind === "sign-in-refused") return "sign-in.company-refused";
  return knows(`problem.${kind}`) ? `problem.${kind}` : "problem.internal";
}

function Refused({ error }) {
  if (error.kind === "locked") {
    return html`<${Notice} kind="bad" title=${t("sign-in.locked")}><p>${t("sign-in.wait", wait(error.retry))}</p><//>`;
  }
  if (error.kind === "sign-in-refused") return html`<${Notice} kind="bad"><p>${t("sign-in.wrong")}</p><//>`;
  return html`<${Problem} error=${error} />`;
}

/** Seconds as a person waits for them. */
function wait(seconds) {
  return { n: seconds ?? 30, time: t(seconds > 90 ? "minutes" : "seconds", { n: seconds > 90 ? Math.ceil(seconds / 60) : (seconds ?? 30) }) };
}
