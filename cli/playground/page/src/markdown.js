// Markdown as elements. The text may come from a program that somebody else wrote: markup in it is shown as text, and a link leads
// nowhere but to an address of the web.
import { Lexer } from 'marked';
import { h } from './dom.js';

/** @param {string} text */
export function markdown(text) {
  const page = document.createDocumentFragment();
  page.append(...blocks(new Lexer({ gfm: true }).lex(text)));
  return page;
}

/** @returns {Node[]} */
const blocks = (/** @type {any[]} */ tokens = []) => tokens.map(block).filter((node) => node !== null);

/** @returns {Node | null} */
function block(/** @type {any} */ token) {
  switch (token.type) {
    case 'space': case 'def': return null;
    // The page has its own headings above these.
    case 'heading': return h(`h${Math.min(6, token.depth + 2)}`, {}, ...spans(token.tokens));
    case 'paragraph': return h('p', {}, ...spans(token.tokens));
    case 'text': return h('span', {}, ...spans(token.tokens ?? [token]));
    case 'code': return h('pre', {}, h('code', {}, token.text));
    case 'blockquote': return h('blockquote', {}, ...blocks(token.tokens));
    case 'hr': return h('hr');
    case 'list':
      return h(token.ordered ? 'ol' : 'ul', { start: token.ordered && token.start }, ...token.items.map((/** @type {any} */ item) =>
        h('li', {}, item.task ? (item.checked ? '☑ ' : '☐ ') : null, ...blocks(item.tokens))));
    case 'table': {
      const row = (/** @type {any[]} */ cells, /** @type {string} */ tag) => h('tr', {}, ...cells.map((cell) => h(tag, {}, ...spans(cell.tokens))));
      return h('table', {}, h('thead', {}, row(token.header, 'th')), h('tbody', {}, ...token.rows.map((/** @type {any[]} */ cells) => row(cells, 'td'))));
    }
    default: return h('p', {}, token.raw);
  }
}

/** @returns {(Node | string)[]} */
const spans = (/** @type {any[]} */ tokens = []) => tokens.map(span);

/** @returns {Node | string} */
function span(/** @type {any} */ token) {
  switch (token.type) {
    case 'strong': return h('strong', {}, ...spans(token.tokens));
    case 'em': return h('em', {}, ...spans(token.tokens));
    case 'del': return h('del', {}, ...spans(token.tokens));
    case 'codespan': return h('code', {}, token.text);
    case 'br': return h('br');
    case 'escape': return token.text;
    case 'link':
      return /^https?:\/\//.test(token.href)
        ? h('a', { href: token.href, rel: 'noopener noreferrer', target: '_blank' }, ...spans(token.tokens))
        : h('span', {}, ...spans(token.tokens));
    // A picture would be asked for elsewhere.
    case 'image': return `[${token.text}]`;
    default: return token.tokens ? h('span', {}, ...spans(token.tokens)) : token.raw;
  }
}
