// The picture of the flow graph: drawn by the server, shown in a shadow root since it brings its own styles, larger or smaller, and
// with the step marked that time stands at.
import * as api from './api.js';
import { byId, h, intoView, newestOnly } from './dom.js';

const STYLE = `
svg{display:block;margin:auto}
.now{opacity:1;stroke-width:3px !important;filter:drop-shadow(0 0 5px #0b5bd3)}
@media (prefers-reduced-motion: no-preference){.now{animation:now .45s ease-out}}
@keyframes now{from{filter:drop-shadow(0 0 14px #0b5bd3)}}`;
/** A picture is made as small as that to be seen whole; one that is larger still is as wide as its pane. */
const WHOLE = 0.5;
const SMALLEST = 0.4;

/**
 * A program, the calls of a run that have ended, each with its outcome, how the run ended, the call that time stands at, and what
 * there is to say of it.
 * @typedef {{ program: string, calls?: string[][], status?: string, now?: string, about?: string }} Picture
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
    const middle = [(box.scrollLeft + box.clientWidth / 2) / scale(), (box.scrollTop + box.clientHeight / 2) / scale()];
    zoom = Math.min(4, Math.max(0.2, scale() * by));
    resize();
    box.scrollTo(middle[0] * zoom - box.clientWidth / 2, middle[1] * zoom - box.clientHeight / 2);
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

  const put = (/** @type {string} */ text) => {
    const fresh = /** @type {any} */ (new DOMParser().parseFromString(text, 'image/svg+xml').documentElement);
    svg = /** @type {SVGSVGElement} */ (document.importNode(fresh, true));
    place.replaceChildren(svg);
    resize();
    const now = svg.querySelector('.now');
    if (now) intoView(box, now, 60);
  };

  return newestOnly(async (/** @type {Picture & { dark: boolean }} */ { about, ...asked }) => {
    const key = JSON.stringify(asked);
    try {
      if (!known.has(key)) {
        if (known.size > 300) known.clear();
        known.set(key, (await api.graph(asked)).svg);
      }
      const text = known.get(key);
      box.classList.toggle('old', !text);
      if (!text) return;
      put(text);
      box.setAttribute('aria-label', ['The flow graph', about].filter(Boolean).join(': '));
    } catch (error) {
      failed(/** @type {Error} */ (error).message);
    }
  });
}
