// All that a visitor wrote, in the fragment of the address, which no browser sends to a server.

/** What an address holds at most, in letters: browsers and those who pass addresses on cut longer ones. */
const LONGEST = 64_000;
const FORM = '#1';

/** @param {object} state */
export async function toFragment(state) {
  const bytes = await through(new CompressionStream('deflate-raw'), new TextEncoder().encode(JSON.stringify(state)));
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  const fragment = FORM + btoa(letters).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  return fragment.length > LONGEST ? null : fragment;
}

/** What a fragment holds; null: nothing. Fails where this page did not write it, or not so. */
export async function fromFragment(/** @type {string} */ fragment) {
  if (fragment.length < 2) return null;
  if (!fragment.startsWith(FORM)) throw new Error('This address holds something behind its # that is no program of this playground.');
  try {
    const letters = atob(fragment.slice(FORM.length).replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = await through(new DecompressionStream('deflate-raw'), Uint8Array.from(letters, (letter) => letter.charCodeAt(0)));
    return state(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    throw new Error('The program in this address is damaged: a part of it is missing, or was changed on its way. Ask for the address again, or for the program as a file.');
  }
}

/** A text is as large as it says only when it is unpacked: more than a few megabytes are not what this page wrote. */
async function through(/** @type {CompressionStream | DecompressionStream} */ change, /** @type {Uint8Array} */ bytes) {
  const reader = new Blob([/** @type {any} */ (bytes)]).stream().pipeThrough(change).getReader();
  const parts = [];
  let length = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
    if (length > 8 * 1024 * 1024) throw new Error('too large');
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** The state of the page that a value describes, whoever wrote it. */
function state(/** @type {any} */ value) {
  if (typeof value?.program !== 'string') throw new Error('no program');
  const text = (/** @type {unknown} */ one, otherwise = '') => (typeof one === 'string' ? one : otherwise);
  const texts = Object.entries(value.params ?? {}).filter(([, one]) => typeof one === 'string');
  const lists = Object.entries(value.mocks ?? {}).filter(([, one]) => Array.isArray(one));
  return {
    program: value.program,
    input: text(value.input),
    type: text(value.type, 'text/plain'),
    params: Object.fromEntries(texts),
    mocks: Object.fromEntries(lists),
  };
}
