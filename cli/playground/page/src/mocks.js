// What a run is given beside the program: answers of its workers, and parameters.
import { byId, h } from './dom.js';

/** @typedef {string | { verdict?: string, output?: string, fail?: string, [more: string]: unknown }} Entry */

/** @param {() => void} changed */
export function given(changed) {
  /** What was changed here, of each worker. @type {Record<string, Entry[]>} */
  let mocks = {};
  /** @type {Record<string, string>} */
  let params = {};
  /** Those of the program as it is now. @type {any[]} */
  let workers = [];
  /** @type {any[]} */
  let declared = [];

  const set = (/** @type {string} */ name, /** @type {Entry[]} */ entries) => {
    mocks[name] = entries;
    changed();
  };

  const draw = () => byId('mocks-panel').replaceChildren(
    h('p', { class: 'hint' }, 'What each worker answers: one entry a call, the last repeats. A worker without entries hands its input on.'),
    ...workers.map((worker) => (worker.mock === null && !mocks[worker.name] ? pure(worker) : card(worker))),
    ...idle(mocks, workers, (name) => {
      delete mocks[name];
      changed();
      draw();
    }, 'no step calls it'));

  const drawParams = () => byId('params').replaceChildren(...declared.map(ask), ...idle(params, declared, (name) => {
    delete params[name];
    changed();
    drawParams();
  }, 'the program has no such parameter'));

  const pure = (/** @type {any} */ worker) => h('div', { class: 'worker' },
    h('h2', {}, worker.name, h('span', { class: 'soft' }, ' computes here')),
    h('button', { type: 'button', class: 'quiet', onclick: () => edit(worker, [{}]) }, 'mock it'));

  const edit = (/** @type {any} */ worker, /** @type {Entry[]} */ entries) => {
    set(worker.name, entries);
    draw();
  };

  const card = (/** @type {any} */ worker) => {
    const entries = mocks[worker.name] ?? worker.mock ?? [];
    const put = (/** @type {number} */ index, /** @type {Entry | null} */ entry) => {
      const all = [...entries];
      all.splice(index, 1, ...(entry === null ? [] : [entry]));
      entries.splice(0, entries.length, ...all);
      set(worker.name, all);
    };
    return h('div', { class: 'worker' },
      h('h2', {}, worker.name),
      h('ol', {}, ...entries.map((/** @type {Entry} */ entry, /** @type {number} */ index) => h('li', {}, ...fields(worker, entry, index, put, draw)))),
      h('div', {},
        h('button', { type: 'button', class: 'quiet', 'aria-label': `Another answer of ${worker.name}`, onclick: () => edit(worker, [...entries, {}]) }, '+ answer'),
        worker.name in mocks && h('button', { type: 'button', class: 'quiet', 'aria-label': `The answers of ${worker.name} as the program has them`, onclick: () => {
          delete mocks[worker.name];
          changed();
          draw();
        } }, 'as written')));
  };

  const ask = (/** @type {any} */ param) => {
    const { name, declared } = param;
    const value = params[name] ?? '';
    const heard = (/** @type {any} */ event) => {
      params[name] = event.target.value;
      if (!params[name]) delete params[name];
      changed();
    };
    const choice = declared.choices && h('select', { id: `param-${name}`, onchange: heard },
      h('option', { value: '' }, declared.default === undefined ? 'choose …' : `${declared.default} (default)`),
      ...declared.choices.map((/** @type {string} */ one) => h('option', { selected: one === value }, one)));
    const text = h('input', { id: `param-${name}`, value, placeholder: declared.default ?? '', oninput: heard });
    return h('div', { class: 'field' }, h('label', { for: `param-${name}` }, name, declared.about && h('span', { class: 'soft' }, ` ${declared.about}`)), choice || text);
  };

  return {
    state: () => ({ mocks, params }),
    set(/** @type {Record<string, Entry[]>} */ newMocks, /** @type {Record<string, string>} */ newParams) {
      mocks = structuredClone(newMocks);
      params = { ...newParams };
      draw();
      drawParams();
    },
    /** The program as it is now has these workers and parameters; what is being typed into is left alone. */
    of(/** @type {any[]} */ newWorkers, /** @type {any[]} */ newParams) {
      if (JSON.stringify(newWorkers) !== JSON.stringify(workers)) {
        workers = newWorkers;
        draw();
      }
      if (JSON.stringify(newParams) !== JSON.stringify(declared)) {
        declared = newParams;
        drawParams();
      }
    },
  };
}

/** What is given and nobody asks for: it stays until somebody takes it away, for the program may ask for it again. */
function idle(
  /** @type {Record<string, any>} */ all, /** @type {{ name: string }[]} */ known, /** @type {(name: string) => void} */ remove,
  /** @type {string} */ why,
) {
  const names = Object.keys(all).filter((name) => !known.some((one) => one.name === name));
  return names.map((name) => h('div', { class: 'worker' },
    h('h2', {}, name, h('span', { class: 'soft' }, `: ${why}`)),
    h('button', { type: 'button', class: 'quiet', 'aria-label': `Remove what is given to ${name}`, onclick: () => remove(name) }, 'remove')));
}

/** The fields of one answer: whether it fails, its word and its text; what else an entry says stays as it is. */
function fields(
  /** @type {any} */ worker, /** @type {Entry} */ entry, /** @type {number} */ index,
  /** @type {(index: number, entry: Entry | null) => void} */ put, /** @type {() => void} */ draw,
) {
  /** @type {any} */
  let now = typeof entry === 'string' ? { verdict: entry } : { ...entry };
  const name = `answer ${index + 1} of ${worker.name}`;
  const change = (/** @type {any} */ part) => {
    now = { ...now, ...part };
    for (const key of ['verdict', 'output', 'fail']) if (now[key] === undefined || (key === 'verdict' && !now[key])) delete now[key];
    put(index, now);
  };
  const fails = now.fail !== undefined;
  const text = h('textarea', {
    rows: 1, spellcheck: 'false', 'aria-label': `Text of ${name}`, placeholder: fails ? 'why it fails' : 'hands its input on',
    oninput: (/** @type {any} */ event) => change(fails ? { fail: event.target.value } : { output: event.target.value || undefined }),
  }, (fails ? now.fail : now.output) ?? '');
  const kind = h('select', { 'aria-label': `What ${name} does`, onchange: (/** @type {any} */ event) => {
    change(event.target.value === 'fails' ? { fail: '', output: undefined, verdict: undefined } : { fail: undefined });
    draw();
  } }, h('option', { selected: !fails }, 'says'), h('option', { selected: fails }, 'fails'));
  const word = !fails && h('input', {
    size: 9, spellcheck: 'false', value: now.verdict ?? '', placeholder: 'no word', 'aria-label': `Word of ${name}`,
    oninput: (/** @type {any} */ event) => change({ verdict: event.target.value.trim() }),
  });
  const remove = h('button', { type: 'button', class: 'quiet', 'aria-label': `Remove ${name}`, onclick: () => {
    put(index, null);
    draw();
  } }, '×');
  return [kind, word, text, remove].filter(Boolean);
}
