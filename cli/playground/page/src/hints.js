// What the program does not say and the compiler knows, shown behind the words that it belongs to: bounds, and what runs next.
import { StateEffect, StateField } from '@codemirror/state';
import { Decoration, EditorView, WidgetType } from '@codemirror/view';
import { h } from './dom.js';

class Hint extends WidgetType {
  constructor(/** @type {string} */ text, /** @type {string} */ about) {
    super();
    this.text = text;
    this.about = about;
  }

  eq(/** @type {Hint} */ other) {
    return other.text === this.text && other.about === this.about;
  }

  toDOM() {
    return h('span', { class: 'hinted', title: this.about }, this.text);
  }
}

/** @type {import('@codemirror/state').StateEffectType<{ at: number, text: string, about: string }[]>} */
export const setHints = StateEffect.define();

export const hints = StateField.define({
  create: () => Decoration.none,
  update(shown, change) {
    const told = change.effects.find((effect) => effect.is(setHints));
    if (!told) return shown.map(change.changes);
    const all = told.value.filter((one) => one.at <= change.newDoc.length);
    return Decoration.set(all.map((one) => Decoration.widget({ widget: new Hint(one.text, one.about), side: 1 }).range(one.at)), true);
  },
  provide: (field) => EditorView.decorations.from(field),
});
