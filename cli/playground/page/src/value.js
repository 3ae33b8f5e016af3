// A value, shown by its type.
import { h } from './dom.js';
import { markdown } from './markdown.js';

/** More rows, members or elements than anybody reads. */
const MOST = 200;

/**
 * @param {any} value as the server tells it: `type`, `bytes`, and `text`, `base64` or `parts`
 * @returns {HTMLElement}
 */
export function shown(value) {
  const head = h('p', { class: 'type' }, `${value.type}, ${size(value.bytes)}`);
  const text = value.text;
  const raw = text !== undefined && h('pre', {}, text);
  const special = text === undefined ? other(value) : read(value.type, text);
  if (!special || !raw) return h('div', { class: 'value' }, head, special || raw || h('p', {}, 'bytes that are no text'));
  const both = h('div', {}, special);
  const button = h('button', { type: 'button', class: 'quiet', 'aria-pressed': 'false', onclick: () => {
    const asText = button.getAttribute('aria-pressed') === 'false';
    button.setAttribute('aria-pressed', String(asText));
    both.replaceChildren(asText ? raw : special);
  } }, 'as text');
  head.append(' ', button);
  return h('div', { class: 'value' }, head, both);
}

const size = (/** @type {number} */ bytes) => (bytes < 10_000 ? `${bytes} bytes` : `${(bytes / 1024).toFixed(0)} KiB`);

/** What is no text: parts, and pictures. */
function other(/** @type {any} */ value) {
  if (value.base64) return picture(`data:${value.type};base64,${value.base64}`);
  return value.parts && h('ol', { class: 'parts' }, ...value.parts.map((/** @type {any} */ part) =>
    h('li', {}, h('span', { class: 'part' }, part.name, part.verdict && ` said ${part.verdict}`), shown(part.value))));
}

// As a picture it runs nothing and asks for nothing.
const picture = (/** @type {string} */ src) => h('img', { src, alt: 'the picture that this step handed on' });

/** A text that has a form; none: it is shown as it is, also where it was cut and its form with it. */
function read(/** @type {string} */ type, /** @type {string} */ text) {
  if (/[/+]json$/.test(type)) {
    try {
      return tree(JSON.parse(text));
    } catch {
      return null;
    }
  }
  if (type === 'image/svg+xml') return picture(`data:${type},${encodeURIComponent(text)}`);
  if (type === 'text/markdown') return h('div', { class: 'told' }, markdown(text));
  return type === 'text/csv' ? table(rows(text)) : null;
}

/**
 * JSON as a tree that opens and closes; `key` is what it is called where it stands.
 * @returns {HTMLElement}
 */
function tree(/** @type {any} */ value, open = true, key = '') {
  const name = key && h('span', {}, h('span', { class: 'j-key' }, key), ': ');
  if (value === null || typeof value !== 'object') {
    return h('span', { class: 'tree' }, name, h('span', { class: `j-${typeof value}` }, JSON.stringify(value)));
  }
  const entries = Object.entries(value);
  const sign = Array.isArray(value) ? `[ ${entries.length} ]` : `{ ${entries.length} }`;
  const members = entries.slice(0, MOST).map(([key, one]) => h('li', {}, tree(one, entries.length < 20, key)));
  const more = entries.length > MOST && h('li', {}, `… ${entries.length - MOST} more`);
  return h('details', { class: 'tree', open }, h('summary', {}, name, sign), h('ul', {}, ...members, more));
}

/** The rows of a CSV, by RFC 4180. */
export function rows(/** @type {string} */ text) {
  const all = [];
  let row = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    if (row.length > 1 || row[0]) all.push(row);
    row = [];
  }
  return all;
}

function table(/** @type {string[][]} */ all) {
  const [head = [], ...body] = all;
  const row = (/** @type {string[]} */ cells, /** @type {string} */ tag) => h('tr', {}, ...cells.map((cell) => h(tag, {}, cell)));
  return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Table' },
    h('table', {}, h('thead', {}, row(head, 'th')), h('tbody', {}, ...body.slice(0, MOST).map((cells) => row(cells, 'td')))),
    body.length > MOST && h('p', {}, `… ${body.length - MOST} more rows`));
}
