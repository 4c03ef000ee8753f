// The parts that views are made of.

import { api, ApiError } from "./api.js";
import { fmt, knows, t } from "./i18n.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/standalone.module.js";

export { html, useEffect, useLayoutEffect, useRef, useState };

let numbered = 0;

/** An id that no other element has. */
export function useId() {
  return useState(() => `id-${++numbered}`)[0];
}

/**
 * Data that is asked for when a view opens and when `deps` change: {data, error, isBusy, again()}. `load` gets an
 * AbortSignal. While new data comes the old stays, so that the page does not jump.
 */
export function useAsk(load, deps) {
  const [state, set] = useState({ data: null, error: null, isBusy: true });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const aborter = new AbortController();
    set((old) => ({ ...old, error: null, isBusy: true }));
    load(aborter.signal)
      .then((data) => !aborter.signal.aborted && set({ data, error: null, isBusy: false }))
      .catch((error) => !aborter.signal.aborted && set({ data: null, error, isBusy: false }));
    return () => aborter.abort();
  }, [...deps, round]);
  return { ...state, again: () => setRound((n) => n + 1) };
}

/** What `useAsk` gave: its error, that it is on its way, or children(data). */
export function Asked({ of, children }) {
  if (of.error) return html`<${Problem} error=${of.error} again=${of.again} />`;
  if (of.data === null) return html`<${Busy} />`;
  return html`<div aria-busy=${of.isBusy}>${children(of.data)}</div>`;
}

/**
 * A list that comes page by page: {data, error, isBusy, again(), more()}; data is {head, rows, hasMore}. `name` is the
 * member that holds the rows, `next` beside it the address of the following page.
 */
export function usePages(path, params, name) {
  const [added, setAdded] = useState({ rows: [], next: null, isBusy: false, error: null, of: null });
  const first = useAsk((signal) => api.get(path, params, { signal }), [path, JSON.stringify(params)]);
  const mine = added.of === first.data ? added : { rows: [], next: first.data?.next, isBusy: false, error: null };
  const more = async () => {
    const of = first.data;
    setAdded({ ...mine, of, isBusy: true, error: null });
    try {
      const page = await api.get(mine.next);
      setAdded({ of, rows: [...mine.rows, ...page[name]], next: page.next, isBusy: false, error: null });
    } catch (error) {
      setAdded({ ...mine, of, isBusy: false, error });
    }
  };
  const data = first.data && { head: first.data, rows: [...first.data[name], ...mine.rows], hasMore: Boolean(mine.next) };
  return { ...first, data, error: first.error ?? mine.error, isBusy: first.isBusy || mine.isBusy, more };
}

/** The button that brings the next page of `usePages`. */
export function More({ of }) {
  if (!of.data?.hasMore) return null;
  return html`<p class="actions"><button type="button" disabled=${of.isBusy} onClick=${of.more}>${t("more")}</button></p>`;
}

/** A change: {run(...), error, isBusy}. `work` may throw; run gives whether it went well. A second click waits. */
export function useWork(work) {
  const [state, set] = useState({ error: null, isBusy: false });
  const running = useRef(false);
  const run = async (...given) => {
    if (running.current) return false;
    running.current = true;
    set({ error: null, isBusy: true });
    try {
      await work(...given);
      set({ error: null, isBusy: false });
      return true;
    } catch (error) {
      set({ error, isBusy: false });
      return false;
    } finally {
      running.current = false;
    }
  };
  return { ...state, run };
}

/** An error in the reader's words, with what support asks for: the server's own line and the id of the request. */
export function Problem({ error, again }) {
  const known = error instanceof ApiError;
  const key = `problem.${known ? error.kind : "page"}`;
  const words = t(knows(key) ? key : "problem.internal", { n: error.retry ?? 0 });
  return html`<${Notice} kind="bad">
    <p>${words}</p>
    ${again && html`<p><button type="button" onClick=${again}>${t("again")}</button></p>`}
    <details>
      <summary>${t("problem.details")}</summary>
      <p class="small">${known ? error.detail : String(error)}</p>
      ${known && error.requestId && html`<p class="small">${t("problem.request")} <code>${error.requestId}</code></p>`}
    </details>
  <//>`;
}

/** A coloured box; `kind` is bad, warn, good or info. What is bad is read out at once. */
export function Notice({ kind = "info", title, children }) {
  return html`<div class="notice ${kind}" role=${kind === "bad" ? "alert" : "status"}>
    ${title && html`<strong>${title}</strong>`} ${children}
  </div>`;
}

export function Busy() {
  return html`<p class="busy" role="status">${t("busy")}</p>`;
}

export function Empty({ children }) {
  return html`<p class="empty">${children}</p>`;
}

/** A word in a coloured frame: good, warn, bad or info. Never by the colour alone: the word says it too. */
export function Mark({ kind = "info", children }) {
  return html`<span class="mark ${kind}">${children}</span>`;
}

/**
 * A table. `columns`: [{name, label, isNumber, isHead, cell(row)}], where without `cell` the member `name` is shown and
 * `isHead` names the row. `rowKey(row)` tells rows apart. It scrolls sideways by itself where it is too wide.
 */
export function Table({ caption, isCaptionHidden = false, columns, rows, rowKey, empty }) {
  const id = useId();
  if (!rows.length && empty) return html`<${Empty}>${empty}<//>`;
  const cell = (column, row) => {
    const shown = column.cell ? column.cell(row) : row[column.name];
    const kind = column.isNumber ? "number" : (column.kind ?? "");
    return column.isHead
      ? html`<th scope="row" class=${kind}>${shown}</th>`
      : html`<td class=${kind}>${shown}</td>`;
  };
  return html`<${Scroller} label=${id}>
    <table>
      <caption id=${id} class=${isCaptionHidden ? "unseen" : ""}>${caption}</caption>
      <thead>
        <tr>${columns.map((c) => html`<th scope="col" class=${c.isNumber ? "number" : ""}>${c.label}</th>`)}</tr>
      </thead>
      <tbody>
        ${rows.map((row, i) => html`<tr key=${rowKey ? rowKey(row) : i}>${columns.map((c) => cell(c, row))}</tr>`)}
      </tbody>
    </table>
  <//>`;
}

/** A box that scrolls sideways (or down, where a view bounds its height), and is reached by keyboard where it does. */
function Scroller({ label, children }) {
  const box = useRef(null);
  const [isWide, setWide] = useState(false);
  useLayoutEffect(() => {
    const look = () => {
      const { scrollWidth, clientWidth, scrollHeight, clientHeight } = box.current;
      setWide(scrollWidth > clientWidth || scrollHeight > clientHeight);
    };
    const watcher = new ResizeObserver(look);
    watcher.observe(box.current);
    watcher.observe(box.current.firstElementChild);
    return () => watcher.disconnect();
  }, []);
  const reached = isWide ? { tabindex: 0, role: "group", "aria-labelledby": label } : {};
  return html`<div class="scroll" ref=${box} ...${reached}>${children}</div>`;
}

/** A dialog that holds the focus and gives it back; Escape calls `onClose`. */
export function Dialog({ title, isOpen, onClose, children }) {
  const element = useRef(null);
  const id = useId();
  useLayoutEffect(() => {
    const dialog = element.current;
    if (!isOpen || !dialog) return undefined;
    const before = document.activeElement;
    dialog.showModal();
    return () => {
      dialog.close();
      before?.focus?.();
    };
  }, [isOpen]);
  useLayoutEffect(() => {
    const dialog = element.current;
    if (!isOpen || !dialog || dialog.matches(":modal")) return;
    dialog.close(); // it was moved as what stands around it was rendered, by which it stopped being modal
    dialog.showModal();
  });
  if (!isOpen) return null;
  const cancelled = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${element} aria-labelledby=${id} onCancel=${cancelled}>
    <header>
      <h2 id=${id}>${title}</h2>
      <button type="button" class="plain" aria-label=${t("close")} onClick=${onClose}>×</button>
    </header>
    ${children}
  </dialog>`;
}

/**
 * A field with its label. `onInput` gets the text. `options`: [[value, words]] makes it a choice, `rows` a text of lines;
 * everything else goes to the element (type, required, autocomplete, ...). `error` and `hint` are read with it.
 */
export function Field({ label, hint, error, value, onInput, options, isLabelHidden = false, ...more }) {
  const id = useId();
  const day = more.type === "date" && fmt.written(value); // the browser shows it in its own language
  const told = [hint && `${id}-hint`, day && `${id}-day`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const shared = { id, value, "aria-describedby": told, "aria-invalid": error ? "true" : undefined, ...more };
  const given = (event) => onInput?.(event.currentTarget.value);
  const asterisk = more.required && html`<span class="needed" aria-hidden="true"> *</span>`;
  return html`<div class="field">
    <label for=${id} class=${isLabelHidden ? "unseen" : ""}>${label}${asterisk}</label>
    ${hint && html`<p id=${`${id}-hint`} class="hint">${hint}</p>`}
    ${options
      ? html`<select ...${shared} onChange=${given}>
          ${options.map(([v, words]) => html`<option key=${v} value=${v} selected=${v === value}>${words}</option>`)}
        </select>`
      : more.rows
        ? html`<textarea ...${shared} onInput=${given} />`
        : html`<input ...${shared} onInput=${given} />`}
    ${day && html`<p id=${`${id}-day`} class="hint">${day}</p>`}
    ${error && html`<p id=${`${id}-error`} class="wrong" role="alert">${error}</p>`}
  </div>`;
}

/** The heading of a view, which also names the window. */
export function Heading({ children, note }) {
  useEffect(() => {
    document.title = `${children} · ÜretimIQ`;
  });
  return html`<header class="heading"><h1>${children}</h1>${note && html`<p class="note">${note}</p>`}</header>`;
}

/** Says something to those who listen instead of looking. */
export function announce(words) {
  const place = document.getElementById("announcer");
  if (place) place.textContent = words;
}
