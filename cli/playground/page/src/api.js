// What the page asks the program that serves it, and nobody else.

/** An answer that is none: what went wrong, in words for a person. */
export class Refused extends Error {
  constructor(/** @type {string} */ message, /** @type {string} */ code = '') {
    super(code ? `${code}: ${message}` : message);
  }
}

/**
 * @param {string} path
 * @param {object} [body]
 * @param {AbortSignal} [signal]
 */
async function ask(path, body, signal) {
  const how = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, { ...how, signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused('the program that serves this page does not answer: is it still running?');
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Refused(told.error?.message ?? `the answer is ${answer.status}`, told.error?.code);
}

const json = async (/** @type {Response} */ answer) => answer.json();

export const examples = () => ask('api/examples').then(json);
export const look = (/** @type {string} */ program, /** @type {AbortSignal} */ signal) => ask('api/look', { program }, signal).then(json);
export const graph = (/** @type {object} */ picture) => ask('api/graph', picture).then(json);
export const format = (/** @type {string} */ program) => ask('api/format', { program }).then(json);
export const complete = (/** @type {string} */ program, /** @type {number} */ at) => ask('api/complete', { program, at }).then(json);
export const hover = (/** @type {string} */ program, /** @type {number} */ at) => ask('api/hover', { program, at }).then(json);

/**
 * Runs a program; `tell` hears each event as it happens.
 * @param {object} asked
 * @param {(event: any) => void} tell
 * @param {AbortSignal} signal
 */
export async function run(asked, tell, signal) {
  const answer = await ask('api/run', asked, signal);
  const lines = /** @type {ReadableStream} */ (answer.body).pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await lines.read();
    if (done) return;
    const whole = (rest + value).split('\n');
    rest = whole.pop() ?? '';
    for (const line of whole) if (line) tell(JSON.parse(line));
  }
}
