// The first colours, through the engine that the editor uses.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const oniguruma = require('vscode-oniguruma');
const { INITIAL, Registry } = require('vscode-textmate');

const GRAMMAR = path.join(__dirname, '../syntaxes/aivm.tmLanguage.json');

async function grammar() {
  await oniguruma.loadWASM(fs.readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm')).buffer);
  const registry = new Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async (name) => (name === 'source.aivm' ? JSON.parse(fs.readFileSync(GRAMMAR, 'utf8')) : null),
  });
  const loaded = await registry.loadGrammar('source.aivm');
  assert.ok(loaded);
  return loaded;
}

/** The words and signs of a text, each with its innermost scope. */
async function colours(/** @type {string} */ text) {
  const loaded = await grammar();
  const found = [];
  let state = INITIAL;
  for (const line of text.split('\n')) {
    const { tokens, ruleStack } = loaded.tokenizeLine(line, state);
    state = ruleStack;
    for (const token of tokens) {
      const piece = line.slice(token.startIndex, token.endIndex).trim();
      if (piece) found.push(`${piece} ${token.scopes.at(-1)}`);
    }
  }
  return found;
}

test('front matter is TOML, and what follows is the program', async () => {
  const found = await colours('+++\n[worker.a] # one\nmock = [{ output = "in" }, true, 5]\nabout = \'\'\'\nout <= ()\n\'\'\'\n+++\nout <= () <= in');
  assert.deepEqual(found.filter((piece) => !piece.endsWith(' meta.embedded.block.toml')), [
    '+++ punctuation.definition.front-matter.aivm',
    '[worker.a] entity.name.section.toml',
    '# one comment.line.number-sign.toml',
    'mock variable.other.property.toml',
    'output variable.other.property.toml',
    '" string.quoted.double.toml',
    'in string.quoted.double.toml',
    '" string.quoted.double.toml',
    'true constant.language.boolean.toml',
    '5 constant.numeric.toml',
    'about variable.other.property.toml',
    "''' string.quoted.triple.literal.toml",
    'out <= () string.quoted.triple.literal.toml',
    "''' string.quoted.triple.literal.toml",
    '+++ punctuation.definition.front-matter.aivm',
    'out variable.language.aivm',
    '<= keyword.operator.aivm',
    '( punctuation.section.group.aivm',
    ') punctuation.section.group.aivm',
    '<= keyword.operator.aivm',
    'in variable.language.aivm',
  ]);
});

test('stages, steps, references, limits and outcomes', async () => {
  const found = await colours('research <= (\n switch[draft]<5> <= (\n [plan<bold> <= draft.think.out.*] => back * 2 | [draft.jump] ; why\n fast-next ~ undo => next');
  for (const expected of [
    'research entity.name.function.aivm',
    'switch keyword.control.aivm',
    'draft entity.name.label.aivm',
    '5 constant.numeric.aivm',
    'plan support.function.aivm',
    'bold entity.other.attribute-name.aivm',
    'think variable.other.reference.aivm',
    'back keyword.other.outcome.aivm',
    '2 constant.numeric.aivm',
    'jump keyword.other.outcome.aivm',
    '; why comment.line.semicolon.aivm',
    'fast-next support.function.aivm',
    'undo support.function.aivm',
    'next keyword.other.outcome.aivm',
  ]) {
    assert.ok(found.includes(expected), `no \`${expected}\` in\n${found.join('\n')}`);
  }
});
