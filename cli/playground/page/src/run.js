// A run and the time in it: what happened is kept, so that one can go back and forth over it, and play it as fast as it can be followed.
import * as api from './api.js';
import { byId, h, intoView } from './dom.js';
import { shown } from './value.js';

/**
 * A step is shown for so long, in milliseconds; all of them together for no longer than the second, for which steps are passed over rather
 * than shown for less than the third.
 */
const STEP = 420;
const WHOLE = 8000;
const SHORTEST = 60;

/**
 * What ran, all that it was given as text, what happened and was said, which call goes on, whether it would be given something else now,
 * and whether its end was seen.
 * @typedef {{ program: string, asked: string, steps: any[], said: string[], end: any, calling: any, stale: boolean, told: boolean }} Run
 */

/**
 * @param {{ asked: () => any, begun: () => void, draw: (picture: import('./graph.js').Picture) => void, said: (text: string) => void }} page
 *   what to run, what to do when it begins, how to draw it, and where to say what happens
 */
export function time(page) {
  const list = byId('trace');
  const range = byId('time');
  /** @type {Run | null} */
  let run = null;
  let at = 0;
  let playing = false;
  let timer = 0;
  let stop = new AbortController();

  const all = () => run?.steps.length ?? 0;
  const over = () => !!run?.end && at === all();

  const go = (/** @type {number} */ to) => {
    at = Math.max(0, Math.min(to, all()));
    show();
  };
  const play = (/** @type {boolean} */ on) => {
    playing = on;
    clearTimeout(timer);
    if (on) tick();
    show();
  };
  const tick = () => {
    const each = Math.min(STEP, Math.max(SHORTEST, WHOLE / Math.max(1, all())));
    timer = setTimeout(() => {
      if (at < all()) go(at + Math.max(1, Math.round((all() * each) / WHOLE)));
      if (at < all() || !run?.end) tick();
      else play(false);
    }, each);
  };

  const show = () => {
    const step = run?.steps[at - 1];
    Object.assign(range, { max: all(), value: at, disabled: !run });
    range.setAttribute('aria-valuetext', step ? `step ${at} of ${all()}: ${step.key}` : 'before the first step');
    byId('now').textContent = run ? `${at} / ${all()}` : '';
    for (const [id, off] of /** @type {[string, boolean][]} */ ([['first', at === 0], ['back', at === 0], ['last', at === all()]])) {
      byId(id).disabled = !run || off;
    }
    byId('step').disabled = !!run && !run.stale && at === all();
    byId('play').disabled = !all();
    byId('play').classList.toggle('on', playing);
    byId('play').setAttribute('aria-label', playing ? 'Pause' : 'Play');
    byId('run').textContent = run && !run.end ? 'Stop' : 'Run';
    list.classList.toggle('old', !!run?.stale);
    for (const [index, row] of [...list.children].entries()) {
      row.classList.toggle('later', index >= at);
      row.setAttribute('aria-selected', String(index === at - 1));
      if (index === at - 1) intoView(list, row);
    }
    if (step) list.setAttribute('aria-activedescendant', `step-${at}`);
    else list.removeAttribute('aria-activedescendant');
    byId('value').replaceChildren(...beside(step));
    if (!run || (run.stale && !step)) return;
    if (over() && !run.told) {
      run.told = true;
      page.said(`The run ${ended(run.end)} after ${all()} ${all() === 1 ? 'step' : 'steps'}.`);
    }
    const calling = at === all() && !run.end && run.calling;
    page.draw({
      program: run.program,
      calls: run.steps.slice(0, at).map((one) => [one.key, one.outcome ?? '']),
      status: over() && run.end.status ? run.end.status : undefined,
      now: calling ? calling.key : step?.key,
      about: calling ? `calling ${calling.key}` : step && `${step.key} led to ${step.outcome}`,
    });
  };

  /** What stands beside the list: how it ended, and what the step handed on. */
  const beside = (/** @type {any} */ step) => {
    if (!run) return [h('p', { class: 'hint' }, 'Run the program to see each call, what it handed on, and where it led.')];
    const end = over() && run.end;
    const [value, title] = end?.artifact ? [end.artifact, 'The output'] : [step?.artifact, `What ${step?.worker} handed on`];
    const why = end?.error ?? step?.error;
    return [
      run.stale && h('p', { class: 'hint' }, 'The program, its input or its mocks have changed since this run.'),
      ...run.said.map((text) => h('p', { class: 'hint' }, text)),
      end && h('p', { class: `end ${end.status}` }, ended(end)),
      !run.end && run.calling && at === all() && h('p', { class: 'hint' }, `calling ${run.calling.worker} …`),
      why && h('p', { class: 'wrong' }, [why.code, why.message].filter(Boolean).join(': ')),
      value && h('h2', {}, title), value && shown(value),
    ].filter(Boolean);
  };

  const hear = (/** @type {any} */ event) => {
    if (!run) return;
    if (event.type === 'call') {
      run.calling = event;
      if (at === all()) show();
    }
    if (event.type === 'said') run.said.push(event.text);
    if (event.type === 'ended') run.end = event;
    if (event.type === 'step') {
      run.steps.push(event);
      list.append(row(event, all(), go));
    }
  };

  /** Begins a run; `walk` goes one step into it instead of playing it. */
  const begin = async (walk = false) => {
    stop.abort();
    stop = new AbortController();
    const { signal } = stop;
    const asked = page.asked();
    /** @type {Run} */
    const mine = { program: asked.program, asked: JSON.stringify(asked), steps: [], said: [], end: null, calling: null, stale: false, told: false };
    run = mine;
    at = 0;
    list.replaceChildren();
    page.said('');
    play(!walk);
    page.begun();
    try {
      await api.run(asked, hear, signal);
      // A stream that breaks off has no end of its own.
      mine.end ??= { status: 'cancelled', error: { code: 'E0937', message: 'the run broke off' } };
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      mine.end = signal.aborted ? { status: 'cancelled' } : { status: 'refused', error: { message } };
      mine.told = true;
      page.said(signal.aborted ? 'The run was stopped.' : message);
    }
    if (run !== mine) return;
    if (calm()) play(false);
    go(walk ? 1 : calm() ? all() : at);
  };

  const walk = (/** @type {number} */ to) => {
    play(false);
    go(to);
  };
  range.oninput = () => walk(Number(range.value));
  byId('first').onclick = () => walk(0);
  byId('last').onclick = () => walk(all());
  byId('back').onclick = () => walk(at - 1);
  byId('step').onclick = () => (!run || run.stale ? begin(true) : walk(at + 1));
  byId('play').onclick = () => {
    if (!playing && at === all()) at = 0;
    play(!playing);
  };
  byId('run').onclick = () => (run && !run.end ? stop.abort() : begin());
  list.onkeydown = (/** @type {KeyboardEvent} */ event) => {
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all() }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    walk(to);
  };
  show();
  return {
    begin,
    /** What a run would be given may be something else now; what ran is still there to look at. */
    changed() {
      if (!run) return;
      play(false);
      run.stale = JSON.stringify(page.asked()) !== run.asked;
      show();
    },
    /** Is the picture that of a run of this program? */
    shows: (/** @type {string} */ program) => run?.program === program,
    /** The colours are others. */
    redraw: show,
  };
}

const ENDS = {
  sent: 'ended well', cancelled: 'was cancelled', failed: 'failed', timeout: 'ran out of time', parked: 'is parked', refused: 'was refused',
};

const ended = (/** @type {{ status: string }} */ { status }) => ENDS[/** @type {keyof typeof ENDS} */ (status)] ?? status;

const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

/** A key, which breaks into lines between its parts and not within a word. */
const breakable = (/** @type {string} */ key) => key.split(/(?<=[/#])/).flatMap((part, nth) => (nth ? [h('wbr'), part] : [part]));

/** A step as a row of the list. */
function row(/** @type {any} */ step, /** @type {number} */ number, /** @type {(to: number) => void} */ go) {
  const again = step.attempt > 1 && h('span', { class: 'again' }, `attempt ${step.attempt}`);
  return h('div', { role: 'option', id: `step-${number}`, onclick: () => go(number) },
    h('span', { class: 'key' }, ...breakable(step.key)), again, h('span', { class: `outcome o-${step.outcome}` }, step.outcome ?? '–'),
    h('span', { class: 'ms' }, `${step.ms < 10 ? step.ms.toFixed(1) : Math.round(step.ms)} ms`));
}
