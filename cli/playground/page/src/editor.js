// The editor: CodeMirror, with what the server says about the program.
import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { bracketMatching, indentOnInput, indentUnit } from '@codemirror/language';
import { lintKeymap, setDiagnostics } from '@codemirror/lint';
import { Compartment, EditorState } from '@codemirror/state';
import {
  EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, hoverTooltip, keymap, lineNumbers,
} from '@codemirror/view';
import * as api from './api.js';
import { h } from './dom.js';
import { hints, setHints } from './hints.js';
import { languageOf, support } from './language.js';
import { markdown } from './markdown.js';

/** A program of the playground is at most so long: what the server takes, in bytes. */
export const LONGEST = 64 * 1024;

const language = new Compartment();

/**
 * @param {HTMLElement} parent
 * @param {{ changed: () => void, refused: (message: string) => void, run: () => void, format: () => void }} page
 */
export function editor(parent, page) {
  const short = EditorState.changeFilter.of((change) => {
    if (!change.docChanged || change.newDoc.length <= Math.max(LONGEST, change.startState.doc.length)) return true;
    const size = (change.newDoc.length / 1024 / 1024).toFixed(1);
    page.refused(`Not taken: with that the program would be ${size} MB long. Here it may have 64 KiB; \`aivm run\` takes up to 4 MiB.`);
    return false;
  });
  const view = new EditorView({
    parent,
    state: EditorState.create({
      extensions: [
        lineNumbers(), history(), drawSelection(), highlightActiveLine(), highlightActiveLineGutter(), bracketMatching(), closeBrackets(),
        indentOnInput(), indentUnit.of('    '), EditorView.lineWrapping, short, hints,
        language.of(support('aivm')),
        autocompletion({ override: [completions], icons: false }),
        hoverTooltip(told),
        EditorView.contentAttributes.of({ 'aria-label': 'Program', tabindex: '0', spellcheck: 'false', autocapitalize: 'off' }),
        keymap.of([
          { key: 'Mod-Enter', run: () => (page.run(), true) },
          { key: 'Shift-Alt-f', run: () => (page.format(), true) },
          { key: 'Tab', run: acceptCompletion },
          ...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap,
        ]),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          recolour(view);
          page.changed();
        }),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    focus: () => view.focus(),
    /** Another text; what does not change stays where it is, and the cursor with it. */
    replace(/** @type {string} */ text) {
      const old = view.state.doc.toString();
      let from = 0;
      while (from < old.length && from < text.length && old[from] === text[from]) from += 1;
      let same = 0;
      while (same < old.length - from && same < text.length - from && old.at(-1 - same) === text.at(-1 - same)) same += 1;
      view.dispatch({ changes: { from, to: old.length - same, insert: text.slice(from, text.length - same) } });
    },
    /** Shows the program first, which stands below the front matter. */
    toProgram() {
      const front = /^\+\+\+[^\S\n]*\n[^]*?\n\+\+\+[^\S\n]*\n/.exec(view.state.doc.toString());
      // The editor alone: to bring it into sight would move the page around it.
      requestAnimationFrame(() => {
        const from = Math.min(front ? front[0].length : 0, view.state.doc.length);
        view.scrollDOM.scrollTop = view.lineBlockAt(from).top;
      });
    },
    /** What the server says of the text. */
    show(/** @type {{ diagnostics: any[], hints: any[] }} */ known) {
      view.dispatch(setDiagnostics(view.state, known.diagnostics.map((one) => marked(view.state, one))), { effects: setHints.of(known.hints) });
    },
    fix: (/** @type {any} */ fix) => apply(view, fix),
    /** To a place, with the focus. */
    go(/** @type {any} */ diagnostic) {
      const { from } = place(view.state, diagnostic);
      view.dispatch({ selection: { anchor: from }, scrollIntoView: true });
      view.focus();
    },
    /** The line and the column of a place, counted from 1. */
    lineOf(/** @type {any} */ diagnostic) {
      const { from } = place(view.state, diagnostic);
      const line = view.state.doc.lineAt(from);
      return `${line.number}:${from - line.from + 1}`;
    },
  };
}

/** @param {EditorView} view */
function recolour(view) {
  const wanted = support(languageOf(view.state.doc.sliceString(0, 2000)));
  if (language.get(view.state) !== wanted) view.dispatch({ effects: language.reconfigure(wanted) });
}

/** The place of a diagnostic, within a text that may have changed since. */
function place(/** @type {EditorState} */ state, /** @type {{ start: number, end: number }} */ { start, end }) {
  const from = Math.min(start, state.doc.length);
  return { from, to: Math.min(Math.max(end, from), state.doc.length) };
}

/** A diagnostic as CodeMirror takes it. */
function marked(/** @type {EditorState} */ state, /** @type {any} */ told) {
  return {
    ...place(state, told),
    severity: told.severity,
    source: told.code,
    message: [told.message, told.reason, told.help].filter(Boolean).join('\n'),
    actions: told.fixes.map((/** @type {any} */ fix) => ({ name: fix.title, apply: (/** @type {EditorView} */ view) => apply(view, fix) })),
  };
}

function apply(/** @type {EditorView} */ view, /** @type {any} */ fix) {
  const changes = fix.edits.map((/** @type {any} */ edit) => ({ ...place(view.state, edit), insert: edit.text }));
  view.dispatch({ changes, userEvent: 'input.fix' });
  view.focus();
}

/** What may stand at the cursor. */
async function completions(/** @type {import('@codemirror/autocomplete').CompletionContext} */ context) {
  if (!context.explicit && !context.matchBefore(/([\w.\-[<]|=>\s*|\|\s*)$/)) return null;
  const told = await api.complete(context.state.doc.toString(), context.pos).catch(() => null);
  if (!told?.options.length) return null;
  // They come best first, and CodeMirror would put them into the order of the alphabet.
  const options = told.options.map((/** @type {any} */ option, /** @type {number} */ nth) => ({
    boost: Math.max(-99, 99 - nth),
    label: option.label,
    detail: option.detail,
    apply: option.insert,
    info: option.info ? () => h('div', { class: 'told' }, markdown(option.info)) : undefined,
  }));
  return { from: told.from, options, validFor: /^[\w-]*$/ };
}

/** What is known of what the pointer is on. */
async function told(/** @type {EditorView} */ view, /** @type {number} */ at) {
  const known = await api.hover(view.state.doc.toString(), at).catch(() => null);
  if (!known) return null;
  const create = () => ({ dom: h('div', { class: 'told' }, markdown(known.markdown)) });
  return { pos: known.from, end: known.to, create };
}
