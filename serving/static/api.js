// The API, with the session of this browser: the access token lives in this module alone, the refresh token in a cookie
// that no script can read.

const CSRF = { "Uretimiq-CSRF": "1" };
export const LONG_MS = 300_000; // a workbook, out or in
const LIMIT_MS = 20_000; // anything else
const listeners = new Set();
const unanswered = new Map(); // the key of each POST whose answer was lost: sent again, it is the same request
let token = null;

/** What the API answered instead of an answer. `kind` is the last word of the problem's type; "offline" without one, "timeout" where it came too late. */
export class ApiError extends Error {
  constructor({ status = 0, kind = "offline", detail = "", requestId = "", retry = null }) {
    super(`${status} ${kind}: ${detail}`);
    Object.assign(this, { status, kind, detail, requestId, retry });
  }
}

export const api = {
  /** The answer of GET as JSON. `params` that are null or undefined are left out. */
  get: async (path, params, options) => (await ask("GET", path, { params, ...options })).data,
  /** `body` is sent as JSON, a Blob as it is. The same call again after a lost answer changes nothing twice. */
  post,
  put: async (path, body, options) => (await ask("PUT", path, { body, ...options })).data,
  /** All rows of a list with pages, from its member `name`. */
  all,
  del: async (path, options) => (await ask("DELETE", path, options)).data,
  ask,
  download,
};

/**
 * Any request: `options` are params, body, headers, signal, limit (ms to the end of the answer). Gives {data, etag, status, headers}; with `as: "blob"` data
 * is a Blob. Raises ApiError. An access token that has ended is refreshed on the way.
 */
export async function ask(method, path, options = {}) {
  let answer = await send(method, path, options);
  if (answer.status === 401 && token && (await refresh())) answer = await send(method, path, options);
  if (answer.status === 401) forget();
  if (!answer.ok) throw await problem(answer);
  const read = options.as === "blob" ? answer.blob() : answer.status === 204 ? null : answer.json();
  return { data: await inTime(read, options.signal), etag: answer.headers.get("ETag"), status: answer.status, headers: answer.headers };
}

async function all(path, params, name, options) {
  let page = await api.get(path, params, options);
  const rows = [...page[name]];
  while (page.next) {
    page = await api.get(page.next, {}, options);
    rows.push(...page[name]);
  }
  return rows;
}

async function post(path, body, options) {
  const what = body instanceof Blob ? null : `${path} ${JSON.stringify(body)}`;
  const known = unanswered.get(what) ?? key();
  if (what) unanswered.set(what, known);
  try {
    const { data } = await ask("POST", path, { body, ...options, headers: { "Idempotency-Key": known, ...options?.headers } });
    unanswered.delete(what);
    return data;
  } catch (error) {
    if (!["offline", "timeout", "key-busy"].includes(error.kind)) unanswered.delete(what);
    throw error;
  }
}

/** Saves what an address answers as a file of that name. */
export async function download(path, params, name, headers = {}) {
  const { data } = await ask("GET", path, { params, headers, as: "blob", limit: LONG_MS });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(data);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Calls `listener` with "in" or "out" when somebody has signed in or out, with "ended" when the API ended the session; returns the way to stop it. */
export function onSession(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Opens a session in this browser. Raises ApiError: "code-needed" where a second factor is asked besides, "new-password-needed" after one for one time. */
export async function signIn(username, password, code, fresh) {
  take(await browser("sign-in", { username, password, code, new_password: fresh }));
}

export async function signOut() {
  await browser("sign-out");
  forget("out");
}

/**
 * The next access token by the cookie; whether there was one. A refresh token is good once, so of several tabs one asks at
 * a time, and the next brings the cookie that the one before was given. A page reloaded as it asks brings the old one once
 * more, for which the API gives the same successor again for a moment.
 */
export async function refresh() {
  const before = token;
  const next = async () => {
    if (token !== before) return; // somebody else in this page has just done it
    try {
      take(await browser("refresh"));
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      forget();
    }
  };
  await (navigator.locks ? navigator.locks.request("uretimiq-refresh", next) : next());
  return token !== null;
}

async function browser(what, body = null) {
  // keepalive: the new cookie arrives even where the page is left meanwhile
  const answer = await send("POST", `/v1/auth/browser/${what}`, { body, headers: CSRF, keepalive: true, open: true });
  if (!answer.ok) throw await problem(answer);
  return answer.json();
}

async function send(method, path, { params, body, headers, signal, keepalive, open, limit }) {
  const sent = { Accept: "application/json", ...headers };
  if (token && !open) sent.Authorization = `Bearer ${token}`;
  const isFile = body instanceof Blob;
  const late = new AbortController();
  setTimeout(() => late.abort(), limit ?? (isFile ? LONG_MS : LIMIT_MS));
  if (body && !isFile) sent["Content-Type"] = "application/json";
  const answer = fetch(withParams(path, params), {
    method,
    headers: sent,
    body: body && !isFile ? JSON.stringify(body) : (body ?? undefined),
    signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
    keepalive,
    credentials: "same-origin",
  });
  return inTime(answer, signal);
}

/** What comes of the network. What was ended without the caller's own `signal` was ended since it took too long. */
async function inTime(coming, signal) {
  try {
    return await coming;
  } catch (error) {
    if (error.name !== "AbortError") throw new ApiError({ detail: error.message });
    if (signal?.aborted) throw error;
    throw new ApiError({ kind: "timeout", detail: "the server took too long to answer" });
  }
}

/** `path` with a query of `params`; a list gives its name several times. */
export function withParams(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") query.append(name, one);
  }
  const text = query.toString();
  return text ? `${path}${path.includes("?") ? "&" : "?"}${text}` : path;
}

/** The address of something of a tenant: at("acme", "series", "ankara", "P/1"). */
export function at(tenant, ...parts) {
  return ["/v1/tenants", tenant, ...parts].map((part, i) => (i ? encodeURIComponent(part) : part)).join("/");
}

async function problem(answer) {
  const told = await answer.json().catch(() => ({}));
  return new ApiError({
    status: answer.status,
    kind: (told.type ?? "").split(":").pop() || "internal",
    detail: told.detail ?? answer.statusText,
    requestId: answer.headers.get("X-Request-ID") ?? "",
    retry: Number(answer.headers.get("Retry-After")) || null,
  });
}

function key() {
  return crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
}

function take(answer) {
  const isNew = token === null;
  token = answer.access_token;
  if (isNew) tell("in");
}

function forget(state = "ended") {
  const was = token !== null;
  token = null;
  if (was) tell(state);
}

function tell(state) {
  for (const listener of listeners) listener(state);
}
