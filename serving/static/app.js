// The frame: who is signed in, which tenant, which place; header, navigation, and the view in the middle.

import { api, ApiError, onSession, refresh, signOut } from "./api.js";
import { language, LANGUAGES, onLanguage, setCurrency, setLanguage, t } from "./i18n.js";
import { keep, kept } from "./keep.js";
import { PLACES } from "./places.js";
import { go, href, useRoute } from "./router.js";
import { setTheme, theme, THEMES } from "./theme.js";
import { Asked, Busy, Empty, Field, Heading, html, Problem, useAsk, useEffect, useRef, useState } from "./ui.js";
import { render, useErrorBoundary } from "./vendor/standalone.module.js";
import SignIn from "./views/signin.js";

function App() {
  const [session, setSession] = useState({ state: "unknown" });
  const [, again] = useState(0);
  useEffect(() => onLanguage(() => again((n) => n + 1)), []);
  useEffect(() => {
    const stop = onSession((state) => setSession({ state }));
    refresh()
      .then((isSignedIn) => setSession({ state: isSignedIn ? "in" : "out" }))
      .catch((error) => setSession({ state: "unknown", error }));
    return stop;
  }, []);
  if (session.state === "in") return html`<${SignedIn} />`;
  return html`<${Frame}>
    ${["out", "ended"].includes(session.state)
      ? html`<${SignIn} isEnded=${session.state === "ended"} />`
      : session.error
        ? html`<${Problem} error=${session.error} again=${() => location.reload()} />`
        : html`<${Busy} />`}
  <//>`;
}

function SignedIn() {
  const who = useAsk(async () => {
    const [me, { tenants }] = await Promise.all([api.get("/v1/me"), api.get("/v1/me/tenants")]);
    return { me, tenants };
  }, []);
  if (!who.data) return html`<${Frame}><${Asked} of=${who}>${() => null}<//><//>`;
  return html`<${Inside} ...${who.data} renew=${who.again} />`;
}

/** `tenants`: [{tenant, role, scopes}], those that the user may see. */
function Inside({ me, tenants, renew }) {
  const { tenant, place, rest, query } = useRoute();
  const here = tenants.find((one) => one.tenant === tenant);
  setCurrency(here?.currency);
  const may = (scope) => scope === null || Boolean(here?.scopes.includes(scope));
  const places = PLACES.filter((one) => may(one.scope));
  const found = PLACES.find((one) => one.name === place);
  useEffect(() => {
    const last = tenants.find((one) => one.tenant === kept("tenant")) ?? tenants[0];
    if (!tenant && last) go(href(last.tenant), { replace: true });
    else if (here && !place) go(href(tenant, places[0].name), { replace: true });
    if (here) keep("tenant", tenant);
  }, [tenant, place]);
  let view = null;
  if (!tenants.length) view = html`<${Empty}>${t("tenant.none")}<//>`;
  else if (tenant && !here) view = html`<${Refused} tenant=${tenant} tenants=${tenants} />`;
  else if (place && (!found || !may(found.scope))) view = html`<${Lost} place=${found} />`;
  else if (found) {
    view = html`<${View} key=${`${tenant}/${place}`} of=${found} ...${{ tenant, may, scopes: here.scopes, rest, query, me, renew }} />`;
  }
  return html`<${Frame} ...${{ me, tenants, here, places, place }}>${view}<//>`;
}

function View({ of, ...given }) {
  const loaded = useAsk(async () => ({ view: (await of.load().catch(notLoaded)).default }), [of]);
  const [error] = useErrorBoundary((thrown) => console.error(thrown));
  if (error) {
    return html`<${Heading}>${t(`place.${of.name}`)}<//>
      <${Problem} error=${error} again=${() => location.reload()} />`;
  }
  return html`<${Asked} of=${loaded}>${({ view }) => html`<${view} ...${given} />`}<//>`;
}

/** A module that did not come: what an answer of the API that did not come is told as. */
function notLoaded(error) {
  throw error instanceof TypeError ? new ApiError({ detail: error.message }) : error;
}

function Refused({ tenant, tenants }) {
  return html`<h1>${t("tenant.refused", { tenant })}</h1>
    <p>${t("tenant.yours")}</p>
    <ul>
      ${tenants.map((one) => html`<li><a href=${href(one.tenant)}>${one.tenant}</a></li>`)}
    </ul>`;
}

function Lost({ place }) {
  return html`<h1>${place ? t("place.forbidden") : t("place.unknown")}</h1>
    <p>${place ? t("place.ask") : t("place.look")}</p>`;
}

function Frame({ me, tenants = [], here, places = [], place, children }) {
  const main = useRef(null);
  const seen = useRef(null);
  const [isOpen, setOpen] = useState(false);
  const where = `${here?.tenant}/${place}`;
  useEffect(() => {
    // A new place is read from its top, as a new page would be; not at the first, where the browser does it.
    if (seen.current && place && seen.current !== where) {
      main.current.focus();
      scrollTo(0, 0);
    }
    if (place) seen.current = where;
    setOpen(false);
  }, [where]);
  const skip = (event) => {
    event.preventDefault(); // an address of the page is not touched
    main.current.focus();
  };
  return html`
    <a class="skip" href="#main" onClick=${skip}>${t("skip")}</a>
    <header class="top">
      <p class="brand">ÜretimIQ</p>
      ${here && html`<${Tenants} tenants=${tenants} here=${here} place=${place} />`}
      <div class="tools">
        <${Choices} />
        ${me &&
        html`<span class="who" title=${t("me.role", { role: here ? t(`role.${here.role}`) : "" })}>${me.name}</span>
          <button type="button" onClick=${() => signOut().catch(() => location.reload())}>${t("sign-out")}</button>`}
      </div>
    </header>
    ${here &&
    html`<nav class="places" aria-label=${t("nav")}>
      <button type="button" class="menu" aria-expanded=${isOpen} aria-controls="places" onClick=${() => setOpen(!isOpen)}>
        ☰ ${t("menu")}
      </button>
      <ul id="places" class=${isOpen ? "open" : ""}>
        ${places.map(
          ({ name }) => html`<li key=${name}>
            <a href=${href(here.tenant, name)} aria-current=${name === place ? "page" : undefined}>${t(`place.${name}`)}</a>
          </li>`,
        )}
      </ul>
    </nav>`}
    <main id="main" tabindex="-1" ref=${main}>${children}</main>
    <div id="announcer" class="unseen" role="status" aria-live="polite"></div>
  `;
}

function Tenants({ tenants, here, place }) {
  if (tenants.length === 1) return html`<p class="tenant">${here.tenant}</p>`;
  return html`<${Field}
    label=${t("tenant")}
    isLabelHidden
    value=${here.tenant}
    options=${tenants.map((one) => [one.tenant, one.tenant])}
    onInput=${(chosen) => go(href(chosen, ...(place ? [place] : [])))}
  />`;
}

function Choices() {
  const [, again] = useState(0);
  return html`
    <${Field}
      label=${t("language")}
      isLabelHidden
      value=${language()}
      options=${Object.entries(LANGUAGES)}
      onInput=${setLanguage}
    />
    <${Field}
      label=${t("theme")}
      isLabelHidden
      value=${theme()}
      options=${THEMES.map((name) => [name, t(`theme.${name}`)])}
      onInput=${(name) => {
        setTheme(name);
        again((n) => n + 1);
      }}
    />
  `;
}

render(html`<${App} />`, document.getElementById("app"));
