// The picture of the flow graph: drawn by the server, shown in a shadow root since it brings its own styles, larger or smaller, and
// with the step marked that time stands at.
import * as api from './api.js';
import { byId, h, intoView, newestOnly } from './dom.js';

const STYLE = `
svg{display:block;margin:auto}
.now{stroke-width:3px !important;filter:drop-shadow(0 0 5px #0b5bd3)}
@media (prefers-reduced-motion: no-preference){.now{animation:now .45s ease-out}}
@keyframes now{from{filter:drop-shadow(0 0 14px #0b5bd3)}}`;
/** A picture is made as small as that to be seen whole, and its width as small as that. */
const WHOLE = 0.7;
const SMALLEST = 0.4;

/**
 * A program, the calls of a run that have ended, each with its outcome, how the run ended, and the step that time stands at.
 * @typedef {{ program: string, calls?: string[][], status?: string, step?: any }} Picture
 */

/** @param {(message: string) => void} failed */
export function graph(failed) {
  const box = byId('graph');
  const root = box.attachShadow({ mode: 'open' });
  const place = h('div');
  root.append(h('style', {}, STYLE), place);
  /** @type {SVGSVGElement | null} */
  let svg = null;
  /** @type {number | 'fit'} */
  let zoom = 'fit';
  /** @type {Map<string, string | null>} */
  const known = new Map();

  const fitting = () => {
    const { width, height } = /** @type {SVGSVGElement} */ (svg).viewBox.baseVal;
    const across = Math.min(1, (box.clientWidth - 16) / width);
    const whole = Math.min(across, (box.clientHeight - 16) / height);
    return Math.max(SMALLEST, whole >= WHOLE ? whole : across);
  };
  const scale = () => (zoom === 'fit' ? fitting() : zoom);
  const resize = () => {
    if (!svg) return;
    const { width, height } = svg.viewBox.baseVal;
    svg.setAttribute('width', String(width * scale()));
    svg.setAttribute('height', String(height * scale()));
  };
  const larger = (/** @type {number} */ by) => {
    zoom = Math.min(4, Math.max(0.2, scale() * by));
    resize();
  };
  byId('larger').onclick = () => larger(1.25);
  byId('smaller').onclick = () => larger(0.8);
  byId('fit').onclick = () => {
    zoom = 'fit';
    resize();
  };
  box.addEventListener('wheel', (/** @type {WheelEvent} */ event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    larger(event.deltaY < 0 ? 1.1 : 0.9);
  }, { passive: false });
  new ResizeObserver(resize).observe(box);

  const put = (/** @type {string} */ text, /** @type {any} */ step) => {
    const fresh = /** @type {any} */ (new DOMParser().parseFromString(text, 'image/svg+xml').documentElement);
    svg = /** @type {SVGSVGElement} */ (document.importNode(fresh, true));
    place.replaceChildren(svg);
    resize();
    const marked = step ? boxesOf(svg, step) : [];
    for (const one of marked) one.classList.add('now');
    if (marked.length) intoView(box, marked[0], 60);
  };

  return newestOnly(async (/** @type {Picture & { dark: boolean }} */ { step, ...asked }) => {
    const key = JSON.stringify(asked);
    try {
      if (!known.has(key)) {
        if (known.size > 300) known.clear();
        known.set(key, (await api.graph(asked)).svg);
      }
      const text = known.get(key);
      box.classList.toggle('old', !text);
      if (!text) return;
      put(text, step);
      box.setAttribute('aria-label', step ? `The flow graph: ${step.key} led to ${step.outcome}` : 'The flow graph');
    } catch (error) {
      failed(/** @type {Error} */ (error).message);
    }
  });
}

/**
 * The boxes that stand for a step: of its name, and of its stage's label where two steps have one name.
 * @returns {SVGGraphicsElement[]}
 */
function boxesOf(/** @type {SVGSVGElement} */ svg, /** @type {{ key: string, worker: string }} */ { key, worker }) {
  const all = (/** @type {string} */ which) => /** @type {SVGGraphicsElement[]} */ ([...svg.querySelectorAll(which)]);
  const within = (/** @type {SVGGraphicsElement} */ box, /** @type {SVGGraphicsElement} */ one) => {
    const [outer, inner] = [box.getBBox(), one.getBBox()];
    const [x, y] = [inner.x + inner.width / 2, inner.y + inner.height / 2];
    return x > outer.x && x < outer.x + outer.width && y > outer.y && y < outer.y + outer.height;
  };
  const names = all('.name').filter((name) => name.textContent === worker);
  const boxes = all('.pill.t, .pill.x').filter((pill) => names.some((name) => within(pill, name)));
  if (boxes.length < 2) return boxes;
  // Frames come from the outside in, and a label belongs to the innermost frame around it.
  const around = (/** @type {SVGGraphicsElement} */ one) => all('.box').findLast((frame) => within(frame, one));
  const labels = new Map(all('.label').map((label) => [around(label), label.textContent]));
  const stage = key.split('/').at(-2);
  const labelled = boxes.filter((box) => labels.get(around(box)) === stage);
  const bare = boxes.filter((box) => !labels.has(around(box)));
  return labelled.length ? labelled : bare.length ? bare : boxes;
}
