// Dark or light: as the system has it, until somebody chooses.
import { byId } from './dom.js';

const KEPT = 'aivm-theme';

/**
 * @param {() => void} changed
 * @returns {() => boolean} is it dark?
 */
export function theme(changed) {
  const system = matchMedia('(prefers-color-scheme: dark)');
  let chosen = kept();
  const dark = () => (chosen ? chosen === 'dark' : system.matches);
  const show = () => {
    document.documentElement.dataset.theme = dark() ? 'dark' : 'light';
    byId('theme').setAttribute('aria-pressed', String(dark()));
  };
  byId('theme').onclick = () => {
    chosen = dark() ? 'light' : 'dark';
    try {
      localStorage.setItem(KEPT, chosen);
    } catch {
      // It holds for this visit then.
    }
    show();
    changed();
  };
  system.onchange = () => {
    show();
    changed();
  };
  show();
  return dark;
}

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}
