/// <reference types="tree-sitter-cli/dsl" />
// @ts-check
// The grammar of aivm, rule by rule as `lang/src/parser/` reads it. What names mean, and what may lead where, is the
// compiler's to judge; a text that its parser accepts has no ERROR node here, which `./test` holds over the language reference.

/** One or more, parted by `separator`. */
const parted = (separator, rule) => seq(rule, repeat(seq(separator, rule)));

/** A line of front matter: anything that is not exactly the fence `+++`. */
const line = /([^+\n][^\n]*|\+([^+\n][^\n]*)?|\+\+([^+\n][^\n]*)?|\+\+\+\r*[^\r\n][^\n]*)?\n/;
const fence = /\+\+\+\r*\n/;

module.exports = grammar({
  name: 'aivm',

  word: ($) => $.word,

  extras: ($) => [/[ \t\r\n\f\u{feff}]/, $.comment],

  // Words of the language name nothing else. `jump` and `default` are among them, `success` and `done` are not.
  reserved: {
    global: (_) => [
      'in', 'out', 'switch', 'select', 'join', 'match', 'next', 'back', 'continue', 'send', 'cancel', 'timeout',
      'retry', 'jump', 'default',
    ],
  },

  // A step's worker is read where it stands: behind it, the same `<=` begins limits or references.
  inline: ($) => [$._call],

  supertypes: ($) => [$.element, $.limit],

  rules: {
    source_file: ($) => seq(optional($.front_matter), repeat($.definition), $.program),

    front_matter: ($) => seq(
      alias(token(fence), '+++'),
      optional(alias(token.immediate(repeat1(line)), $.toml)),
      alias(token.immediate(prec(1, fence)), '+++'),
    ),

    definition: ($) => seq(field('name', $.word), '<=', field('body', $.group)),
    program: ($) => seq('out', '<=', field('body', $.group), '<=', 'in'),

    group: ($) => seq('(', optional($.chain), ')'),
    chain: ($) => parted('<=', $.stage),

    stage: ($) => choice(
      seq(field('kind', choice('switch', 'select', 'join')), $._head, '(', repeat1($.element), ')'),
      seq(field('kind', 'match'), $._head, '(', repeat1($.arm), ')'),
    ),
    _head: ($) => seq(optional(seq('[', field('label', $.word), ']')), optional($.limits), '<='),

    element: ($) => choice($.step, $.branch),
    branch: ($) => seq(optional(seq('out', '<=')), $.chain),
    step: ($) => seq(
      choice($._call, seq('[', $._call, '<=', parted(',', $.reference), ']')),
      '=>',
      $.outcomes,
    ),
    _call: ($) => seq(
      field('worker', $.path),
      optional(seq(optional('<='), $.limits)),
      optional(seq('~', field('undo', $.path))),
    ),

    arm: ($) => seq(
      field('on', choice($.word, 'default', 'cancel', 'timeout')),
      '=>',
      choice(alias($._ends, $.outcomes), seq('out', '<=', $.chain)),
    ),

    limits: ($) => seq('<', parted(',', $.limit), '>'),
    limit: ($) => choice($.count, $.duration, $.money, $.tokens, alias($.word, $.behaviour)),
    count: (_) => /[0-9]+/,
    duration: (_) => /[0-9]+(ms|s|m|h|d)/,
    money: (_) => /\$[0-9]+(\.[0-9]{1,6})?/,
    tokens: (_) => /[0-9]+(t|kt|Mt)/,

    // Best first. An arm hands on what came to its match, so it has fewer.
    outcomes: ($) => parted($._or, choice($.outcome, $.jump)),
    _ends: ($) => parted($._or, choice(alias($.end, $.outcome), $.jump)),
    _or: (_) => choice('|', '||'),
    outcome: ($) => choice(
      'next', 'continue', 'send', 'cancel', 'timeout',
      seq(choice('back', 'retry'), optional(seq('*', $.count))),
    ),
    end: (_) => choice('next', 'send', 'cancel', 'timeout'),
    jump: ($) => seq('[', field('stage', $.word), '.', optional(seq(field('step', $.word), '.')), 'jump', ']'),

    reference: ($) => seq(
      choice(
        'in',
        seq(field('stage', $.word), '.', optional(seq(field('step', $.word), '.')), choice('out', 'in')),
      ),
      optional(field('each', $.each)),
    ),
    each: (_) => seq('.', '*'),

    path: ($) => parted('.', $.word),
    word: (_) => /[A-Za-z_][A-Za-z0-9_]*(-+[A-Za-z0-9_]+)*/,
    comment: (_) => /;[^\n]*/,
  },
});
