// Elements, made in one line. Text is always text: nothing here reads markup.

/**
 * An element with attributes, handlers (`onclick`) and children; a child that is null or false is left out.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | false | undefined)} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
}

/** @param {string} id */
export const byId = (id) => /** @type {any} */ (document.getElementById(id));

/**
 * Calls `then` once it has not been asked for `ms` milliseconds, or for as many as whoever asked last said.
 * @param {number} ms
 * @param {() => void} then
 */
export function later(ms, then) {
  let timer = 0;
  return (soon = ms) => {
    clearTimeout(timer);
    timer = setTimeout(then, soon);
  };
}

/**
 * One at a time, and of those that wait only the newest: the rest are not even begun.
 * @template T
 * @param {(asked: T) => Promise<void>} work
 */
export function newestOnly(work) {
  let busy = false;
  /** @type {T[]} */
  let waiting = [];
  return async (/** @type {T} */ asked) => {
    waiting = [asked];
    if (busy) return;
    busy = true;
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await work(next);
    busy = false;
  };
}

/**
 * Moves what is in a box, and nothing around it, until an element of it is seen with so much about it.
 * @param {Element} box
 * @param {Element} element
 */
export function intoView(box, element, about = 0) {
  const [frame, seen] = [box.getBoundingClientRect(), element.getBoundingClientRect()];
  const by = (/** @type {number} */ low, /** @type {number} */ high, /** @type {number} */ from, /** @type {number} */ to) =>
    (low - about < from ? low - about - from : Math.max(0, high + about - to));
  box.scrollBy(by(seen.left, seen.right, frame.left, frame.right), by(seen.top, seen.bottom, frame.top, frame.bottom));
}

/**
 * Tabs by the pattern of ARIA: arrows move between them, and one panel is shown.
 * @param {Element} list
 */
export function tabs(list) {
  const all = /** @type {HTMLElement[]} */ ([...list.querySelectorAll('[role=tab]')]);
  const show = (/** @type {HTMLElement} */ chosen) => {
    for (const tab of all) {
      tab.setAttribute('aria-selected', String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      byId(tab.getAttribute('aria-controls') ?? '').hidden = tab !== chosen;
    }
  };
  for (const tab of all) {
    tab.addEventListener('click', () => show(tab));
    tab.addEventListener('keydown', (event) => {
      const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!move) return;
      const seen = all.filter((one) => !one.hidden);
      const next = seen[(seen.indexOf(tab) + move + seen.length) % seen.length];
      show(next);
      next.focus();
    });
  }
  show(all[0]);
  return { show: (/** @type {string} */ id) => show(byId(id)) };
}
