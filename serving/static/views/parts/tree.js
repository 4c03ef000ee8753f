// The hierarchy as a tree (WAI-ARIA pattern): children are asked for when a node is opened.

import { api, at as address } from "../../api.js";
import { fmt, t } from "../../i18n.js";
import { html, useEffect, useRef, useState } from "../../ui.js";
import { ALL, childOf, hasForecast, holds, isSame, keyOf, nameOf, nodeOf, paramsOf } from "./node.js";
import { Change, changeOf } from "./numbers.js";

const PAGE = 100;
const ROOT = { ...ALL, level: "tenant", units: null, has_children: true };

/** `selected` is a node; `onSelect` hears of another. `reveal` is a whole place that is opened down to. */
export function Tree({ tenant, selected, reveal, onSelect }) {
  const [kids, setKids] = useState(() => new Map()); // by the parent's key: {items, next, total} or {error}
  const [open, setOpen] = useState(() => new Set([keyOf(ROOT)]));
  const [focus, setFocus] = useState(keyOf(ROOT));
  const list = useRef(null);
  const asked = useRef(new Map());
  const typed = useRef({ text: "", at: 0 });

  /** The children of a node, asked for once. */
  function children(node) {
    const key = keyOf(node);
    if (!asked.current.has(key)) asked.current.set(key, load(node, hierarchy(tenant, node), []));
    return asked.current.get(key);
  }

  async function load(node, path, before) {
    const key = keyOf(node);
    try {
      const answer = await api.get(path);
      const below = answer.children.map((row) => childOf(node, row));
      const found = { items: [...before, ...below], next: answer.next, total: answer.total };
      setKids((held) => new Map(held).set(key, found));
      return found;
    } catch (error) {
      asked.current.delete(key);
      setKids((held) => new Map(held).set(key, { items: before, error }));
      return { items: before };
    }
  }

  function expand(node) {
    setOpen((held) => new Set(held).add(keyOf(node)));
    return children(node);
  }

  const collapse = (node) => setOpen((held) => new Set([...held].filter((key) => key !== keyOf(node))));

  useEffect(() => {
    let gone = false;
    (async () => {
      let node = ROOT;
      for (let depth = 0; node && depth < 6; depth += 1) {
        const { items } = await expand(node);
        if (gone || !reveal) return;
        const next = items.find((item) => holds(item, reveal));
        if (!next || isSame(next, reveal) || !next.has_children) {
          setFocus(keyOf(next ?? node));
          return;
        }
        node = next;
      }
    })();
    return () => {
      gone = true;
    };
  }, [tenant, reveal && keyOf(reveal)]);

  const rows = flatten(ROOT, kids, open);
  const at = Math.max(0, rows.findIndex((row) => row.id === focus));

  function go(index) {
    const row = rows[Math.min(Math.max(index, 0), rows.length - 1)];
    setFocus(row.id);
    list.current.querySelector(`[data-key="${CSS.escape(row.id)}"]`)?.focus();
  }

  function act(row) {
    if (row.error) children(rows.find((other) => other.id === row.parent).node);
    else if (row.more) {
      const held = kids.get(row.parent);
      load(row.more, held.next, held.items);
    } else if (hasForecast(row.node)) onSelect(nodeOf(row.node));
    else if (open.has(row.id)) collapse(row.node);
    else expand(row.node);
  }

  function onKeyDown(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const row = rows[at];
    const isOpen = row.node && open.has(row.id);
    const keys = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      Enter: () => act(row),
      " ": () => act(row),
      ArrowRight: () => row.node?.has_children && (isOpen ? go(at + 1) : expand(row.node)),
      ArrowLeft: () => (isOpen ? collapse(row.node) : row.parent && go(rows.findIndex((other) => other.id === row.parent))),
    };
    if (event.key in keys) keys[event.key]();
    else if (event.key.length === 1) find(event.key, event.timeStamp);
    else return;
    event.preventDefault();
  }

  /** The next node whose name begins with what was typed within a second. */
  function find(letter, now) {
    const text = (now - typed.current.at < 1000 ? typed.current.text : "") + letter.toLocaleLowerCase();
    typed.current = { text, at: now };
    const order = [...rows.slice(at + (text.length === 1 ? 1 : 0)), ...rows.slice(0, at)];
    const found = order.find((row) => row.node && nameOf(row.node).toLocaleLowerCase().startsWith(text));
    if (found) go(rows.indexOf(found));
  }

  return html`<ul class="tree" role="tree" aria-label=${t("tree.label")} ref=${list} onKeyDown=${onKeyDown}>
    ${rows.map(
      (row) => html`<${Row}
        key=${row.id}
        ...${row}
        isOpen=${open.has(row.id)}
        isSelected=${row.node && isSame(row.node, selected)}
        isFocus=${row === rows[at]}
        onToggle=${() => (open.has(row.id) ? collapse(row.node) : expand(row.node))}
        onAct=${() => {
          setFocus(row.id);
          act(row);
        }}
      />`,
    )}
  </ul>`;
}

/** The address of what lies below a node. It has parameters that are empty on purpose. */
const hierarchy = (tenant, node) => `${address(tenant, "hierarchy")}?${new URLSearchParams({ ...paramsOf(node), limit: PAGE })}`;

/** The rows that are seen, from top to bottom: {id, parent, depth, place, of, node} or, instead of a node, `more` or `error`. */
function flatten(node, kids, open, depth = 1, parent = null, place = 1, of = 1) {
  const key = keyOf(node);
  const rows = [{ id: key, parent, depth, place, of, node, busy: open.has(key) && !kids.has(key) }];
  const held = open.has(key) ? kids.get(key) : null;
  if (!held) return rows;
  held.items.forEach((child, i) => rows.push(...flatten(child, kids, open, depth + 1, key, i + 1, held.total)));
  if (held.next) rows.push({ id: `${key}+`, parent: key, depth: depth + 1, more: node, left: held.total - held.items.length });
  if (held.error) rows.push({ id: `${key}!`, parent: key, depth: depth + 1, error: held.error });
  return rows;
}

function Row({ id, depth, place, of, node, more, left, error, busy, isOpen, isSelected, isFocus, onToggle, onAct }) {
  const name = node ? nameOf(node) : more ? t("tree.more", { n: left }) : t("tree.failed");
  const label = node ? [name, node.units !== null && t("tree.units", { units: fmt.number(node.units) }), changeOf(node) && t("tree.change", { change: changeOf(node).text })].filter(Boolean).join(", ") : name;
  return html`<li
    role="treeitem"
    data-key=${id}
    aria-level=${depth}
    aria-setsize=${of}
    aria-posinset=${place}
    aria-expanded=${node?.has_children ? String(isOpen) : undefined}
    aria-selected=${node ? String(Boolean(isSelected)) : undefined}
    aria-busy=${busy ? "true" : undefined}
    aria-label=${label}
    tabindex=${isFocus ? 0 : -1}
    style=${{ "--depth": depth - 1 }}
    onClick=${onAct}
  >
    <span class="tree-sign" onClick=${(event) => node?.has_children && (event.stopPropagation(), onToggle())}>${node?.has_children ? (isOpen ? "▾" : "▸") : ""}</span>
    <span class="tree-name">${name}${busy ? " …" : ""}</span>
    ${node && node.units !== null && html`<span class="tree-units">${fmt.number(node.units)}</span><${Change} row=${node} />`}
  </li>`;
}
