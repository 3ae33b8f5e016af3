// First colours, made here so that they follow each key at once; what a word means is the server's to say.
import { HighlightStyle, LanguageSupport, StreamLanguage, syntaxHighlighting } from '@codemirror/language';
import { toml } from '@codemirror/legacy-modes/mode/toml';
import { yaml } from '@codemirror/legacy-modes/mode/yaml';
import { tags } from '@lezer/highlight';

const KINDS = new Set(['switch', 'select', 'join', 'match']);
const OUTCOMES = new Set(['next', 'continue', 'send', 'back', 'retry', 'cancel', 'timeout', 'jump', 'default']);

/** What a word is, by what stands before it. */
function word(/** @type {string} */ text, /** @type {any} */ state) {
  const { before, limits } = state;
  if (limits) return 'attributeName';
  if (before === '.') return text === 'jump' ? 'controlKeyword' : 'propertyName';
  if (text === 'out' || text === 'in') return 'self';
  if (KINDS.has(text)) return 'keyword';
  if (OUTCOMES.has(text)) return 'controlKeyword';
  return before === 'head[' ? 'labelName' : 'name';
}

const arrows = {
  name: 'aivm',
  startState: (/** @type {number} */ unit) => ({
    front: 'maybe', toml: toml.startState?.(unit), before: '', limits: false, depth: 0,
  }),
  copyState: (/** @type {any} */ state) => ({ ...state, toml: toml.copyState ? toml.copyState(state.toml) : { ...state.toml } }),

  token(/** @type {any} */ stream, /** @type {any} */ state) {
    if (state.front !== 'over') {
      const fence = stream.sol() && stream.match(/^\+\+\+\s*$/);
      const within = state.front === 'within';
      if (fence) {
        state.front = within ? 'over' : 'within';
        return 'meta';
      }
      if (within) return toml.token(stream, state.toml);
      state.front = 'over';
    }
    if (stream.eatSpace()) return null;
    if (stream.match(/^;.*/)) return 'comment';
    if (stream.match(/^(<=|=>|\|\|?|~|\*)/)) {
      state.before = stream.current();
      return 'operator';
    }
    if (stream.match(/^\$?[0-9][\w.]*/)) return 'number';
    if (stream.match(/^[A-Za-z_][\w-]*/)) {
      const style = word(stream.current(), state);
      state.before = stream.current();
      return style;
    }
    const sign = stream.next();
    if (sign === '<' || sign === '>') state.limits = sign === '<';
    if (sign === '(') state.depth += 1;
    if (sign === ')') state.depth = Math.max(0, state.depth - 1);
    // A label stands behind the keyword of its stage, any other bracket holds a step or a jump.
    state.before = sign === '[' && KINDS.has(state.before) ? 'head[' : sign;
    return sign === '.' || sign === ',' ? 'punctuation' : 'bracket';
  },

  indent: (/** @type {any} */ state, /** @type {string} */ rest, /** @type {any} */ context) =>
    state.front === 'within' ? null : (state.depth - (/^\s*\)/.test(rest) ? 1 : 0)) * context.unit,

  languageData: {
    commentTokens: { line: ';' },
    closeBrackets: { brackets: ['(', '['] },
    indentOnInput: /^\s*\)$/,
    wordChars: '-',
  },
};

// The colours are those of the page, so that they follow its theme.
const COLOURS = HighlightStyle.define([
  { tag: tags.keyword, class: 'c-stage' },
  { tag: tags.controlKeyword, class: 'c-outcome' },
  { tag: tags.self, class: 'c-ends' },
  { tag: [tags.labelName, tags.heading], class: 'c-label' },
  { tag: [tags.propertyName, tags.attributeName], class: 'c-member' },
  { tag: tags.name, class: 'c-name' },
  { tag: [tags.number, tags.bool, tags.atom], class: 'c-number' },
  { tag: [tags.string, tags.special(tags.string)], class: 'c-string' },
  { tag: [tags.comment, tags.meta], class: 'c-comment' },
  { tag: [tags.operator, tags.bracket, tags.punctuation], class: 'c-sign' },
]);

const colours = syntaxHighlighting(COLOURS);
const languages = {
  aivm: new LanguageSupport(StreamLanguage.define(arrows), colours),
  toml: new LanguageSupport(StreamLanguage.define(toml), colours),
  yaml: new LanguageSupport(StreamLanguage.define(yaml), colours),
};

/** What a text is written in, so far as its colours need to know. */
export function languageOf(/** @type {string} */ text) {
  const first = /^[ \t\ufeff]*([^\s#;].*)$/m.exec(text)?.[1] ?? '';
  if (first === '+++' || /<=/.test(first)) return 'aivm';
  if (/^\[|^[\w.-]+\s*=(?!>)/.test(first)) return 'toml';
  return /^[\w-]+:(\s|$)|^---/.test(first) ? 'yaml' : 'aivm';
}

export const support = (/** @type {keyof typeof languages} */ name) => languages[name];
