// The page: what stands on it, and what one part of it tells another.
import * as api from './api.js';
import { byId, h, later, tabs } from './dom.js';
import { editor } from './editor.js';
import { graph } from './graph.js';
import { given } from './mocks.js';
import { time } from './run.js';
import { fromFragment, toFragment } from './share.js';
import { theme } from './theme.js';

const DRAFT = 'aivm-playground';
/** @type {any[]} */
let examples = [];
/** Says something below everything; on a phone, where that is out of sight, for a while above it. */
const said = (/** @type {string} */ text) => byId('said').replaceChildren(...(text ? [h('span', {}, text)] : []));

const [givenTabs, knownTabs] = [...document.querySelectorAll('[role=tablist]')].map(tabs);
const dark = theme(() => redraw());
const text = editor(byId('editor'), { changed, refused: said, run: () => run.begin(), format });
const gifts = given(keep);
const draw = graph(said);
const run = time({ asked: state, said, begun: showRun, draw: (picture) => draw({ ...picture, dark: dark() }) });

/** What a run does is seen in its graph, which on a phone is further down, and in its trace. */
function showRun() {
  knownTabs.show('tab-trace');
  const look = /** @type {HTMLElement} */ (document.querySelector('.look'));
  if (look.getBoundingClientRect().top > innerHeight / 2) look.scrollIntoView();
}

/** All that a visitor wrote, which is what a run is asked for. */
function state() {
  return { program: text.text(), input: byId('input').value, type: byId('type').value.trim() || 'text/plain', ...gifts.state() };
}

/** What the address holds, as text; empty: nothing. */
let shared = '';
function keep() {
  run.changed();
  remember();
  // Whoever loads the page again wants what is on it, and not what it was once opened with.
  if (shared && shared !== JSON.stringify(state())) leaveAddress();
}
function leaveAddress() {
  shared = '';
  history.replaceState(null, '', location.pathname);
}
const remember = later(500, save);
function save() {
  try {
    sessionStorage.setItem(DRAFT, JSON.stringify(state()));
  } catch {
    // A browser that keeps nothing keeps no draft.
  }
}

function changed() {
  const example = examples.find((one) => one.program === text.text());
  byId('example').value = example?.name ?? '';
  keep();
  look();
}

let looking = new AbortController();
const look = later(120, async () => {
  looking.abort();
  looking = new AbortController();
  const program = text.text();
  try {
    const known = await api.look(program, looking.signal);
    if (program !== text.text()) return;
    tell(program, known);
  } catch (error) {
    if (/** @type {Error} */ (error).name !== 'AbortError') said(/** @type {Error} */ (error).message);
  }
});

/** Shows what is known of a program. */
function tell(/** @type {string} */ program, /** @type {any} */ known) {
  text.show(known);
  byId('problems').replaceChildren(...known.diagnostics.map(problem));
  byId('graph').classList.toggle('old', !known.bytecode);
  if (!known.bytecode) return;
  gifts.of(known.workers, known.params);
  byId('cost-panel').replaceChildren(h('p', {}, known.cost.summary), h('pre', {}, known.cost.table));
  byId('bytecode-panel').replaceChildren(h('pre', {}, known.bytecode));
  byId('tab-arrows').hidden = !known.arrows;
  byId('arrows-panel').replaceChildren(h('pre', {}, known.arrows ?? ''));
  if (!known.arrows && byId('tab-arrows').getAttribute('aria-selected') === 'true') knownTabs.show('tab-trace');
  if (!run.shows(program)) draw({ program, dark: dark() });
}

/** A problem as a line: where, what, why, and what mends it. */
function problem(/** @type {any} */ told) {
  const fixes = told.fixes.map((/** @type {any} */ fix) => h('button', { type: 'button', class: 'fix', onclick: () => text.fix(fix) }, fix.title));
  return h('div', { class: `problem ${told.severity}` },
    h('button', { type: 'button', class: 'place', onclick: () => text.go(told) }, text.lineOf(told), h('span', { class: 'unseen' }, `: ${told.severity}`)),
    h('div', {}, told.code && h('code', {}, told.code, ' '), told.message, ...[told.reason, told.help].filter(Boolean).map((why) => h('p', {}, why)), ...fixes));
}

function redraw() {
  run.redraw();
  look();
}

async function format() {
  try {
    text.replace((await api.format(text.text())).program);
  } catch (error) {
    said(/** @type {Error} */ (error).message);
  }
}

async function share() {
  const now = state();
  const fragment = await toFragment(now);
  if (!fragment) return said('This is too long for an address: save the program as a file instead.');
  history.replaceState(null, '', fragment);
  shared = JSON.stringify(now);
  try {
    await navigator.clipboard.writeText(location.href);
    said('The address is copied. It holds the program, its input and its mocks; nothing was sent anywhere.');
  } catch {
    said('The address of this page now holds the program, its input and its mocks.');
  }
}

/** Puts a whole state onto the page. */
function open(/** @type {any} */ { program, input, type, mocks, params }) {
  byId('input').value = input ?? '';
  byId('type').value = type ?? 'text/plain';
  gifts.set(mocks ?? {}, params ?? {});
  text.replace(program ?? '');
  text.toProgram();
  changed();
  look(0);
}

/** Puts what the address holds onto the page, if it holds something; says so where that cannot be read. */
async function openAddress() {
  try {
    const told = await fromFragment(location.hash);
    if (!told) return false;
    shared = '';
    open(told);
    shared = JSON.stringify(state());
    return true;
  } catch (error) {
    leaveAddress();
    said(/** @type {Error} */ (error).message);
    return false;
  }
}

/** What was shared, else what was being written, else an example. */
async function begin() {
  if (await openAddress()) return;
  try {
    const draft = sessionStorage.getItem(DRAFT);
    if (draft) return open(JSON.parse(draft));
  } catch {
    // No draft, or none that is one.
  }
  open(examples[0] ?? {});
}

byId('share').onclick = share;
byId('format').onclick = format;
byId('input').oninput = byId('type').oninput = keep;
addEventListener('hashchange', openAddress);
addEventListener('pagehide', save);
addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !event.defaultPrevented) run.begin();
});

examples = await api.examples().catch((error) => (said(error.message), []));
byId('example').append(...examples.map((example) => h('option', { value: example.name, title: example.title }, example.name)));
byId('example').onchange = (/** @type {any} */ event) => {
  const chosen = examples.find((example) => example.name === event.target.value);
  if (!chosen) return;
  const own = text.text().trim() && !examples.some((one) => one.program === text.text());
  leaveAddress();
  open(chosen);
  said(own ? `${chosen.title}. Ctrl-Z in the editor brings your program back.` : chosen.title);
};
await begin();
givenTabs.show('tab-input');
