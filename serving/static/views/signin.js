// Signing in: name and password, then the code where a second factor is asked; or the company's own login.

import { signIn } from "../api.js";
import { knows, t } from "../i18n.js";
import { Field, Heading, html, Notice, Problem, useEffect, useRef, useState, useWork } from "../ui.js";

const COMPANY = document.querySelector('meta[name="company-login"]')?.content === "yes";

const MORE = { "code-needed": "code", "new-password-needed": "fresh" }; // what is asked besides name and password
const FIRST = { name: "username", code: "code", fresh: "fresh" }; // the field that a step begins with

/** `isEnded`: somebody was signed in until now, and did not sign out. */
export default function SignIn({ isEnded }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [fresh, setFresh] = useState("");
  const [again, setAgain] = useState("");
  const [step, setStep] = useState("name"); // then "code" or "fresh"
  const form = useRef(null);
  const [refusal] = useState(takeRefusal);
  const entering = useWork(() => signIn(name, password, code, fresh));
  const { error } = entering;
  useEffect(() => {
    if (!(error?.kind in MORE)) return;
    setStep(MORE[error.kind]);
    setCode("");
  }, [error]);
  useEffect(() => form.current.querySelector(`[name=${FIRST[step]}]`).focus(), [step]);
  const differs = again !== "" && again !== fresh;
  const submit = (event) => {
    event.preventDefault();
    if (!differs) entering.run();
  };
  return html`<div class="panel sign-in">
    <${Heading}>${t("sign-in")}<//>
    <form ref=${form} onSubmit=${submit}>
      ${step === "fresh" &&
      html`<p>${t("sign-in.fresh-why", { name })}</p>
        <${Field} label=${t("account.password-new")} hint=${t("account.password-hint")} name="fresh" type="password" value=${fresh} onInput=${setFresh} autocomplete="new-password" minlength="12" required />
        <${Field} label=${t("account.password-again")} type="password" value=${again} onInput=${setAgain} autocomplete="new-password" error=${differs && t("account.password-differs")} required />`}
      ${step === "code" &&
      html`<p>${t("sign-in.code-why", { name })}</p>
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
            />`}
      ${step === "name" &&
      html`<${Field}
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
      ${isEnded && !error && html`<${Notice} kind="warn"><p>${t("sign-in.ended")}</p><//>`}
      ${refusal && !error && html`<${Notice} kind="bad"><p>${t(refusal)}</p><//>`}
      ${error && !(error.kind in MORE) && html`<${Refused} error=${error} />`}
      <div class="actions">
        <button class="main" disabled=${entering.isBusy || differs}>${t("sign-in.go")}</button>
        ${step !== "name" &&
        html`<button type="button" onClick=${() => setStep("name")}>${t("back")}</button>`}
      </div>
    </form>
    ${COMPANY &&
    step === "name" &&
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
