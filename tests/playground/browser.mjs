// The program that serves the page, and a browser that looks at it: each test gets a page of its own, with nothing kept from another.
// AIVM names the program, CHROMIUM the browser.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const PICTURES = join(import.meta.dirname, 'pictures');
/** The judge of what is in reach, as text: the page itself takes no script from elsewhere. */
export const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8');
const QUIET = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync',
];

/** Starts the program; `url` is its page. */
async function serve() {
  const server = spawn(process.env.AIVM ?? 'aivm', ['playground', '--listen', '127.0.0.1:0', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise((resolve, reject) => {
    createInterface({ input: server.stdout }).once('line', resolve);
    server.once('error', reject).once('exit', (code) => reject(new Error(`the playground ended with ${code}`)));
  });
  return { url: JSON.parse(line).url, end: () => server.kill('SIGTERM') };
}

/** Starts both; `close` ends them. */
export async function open() {
  const { url, end } = await serve();
  // Its folder is a new one, which it removes.
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: QUIET });
  mkdirSync(PICTURES, { recursive: true });

  /** A page that is loaded; what it complains about, and what it asks elsewhere, is in `wrong`. */
  const visit = async (/** @type {object} */ how = {}, fragment = '') => {
    const plain = { reducedMotion: 'reduce', viewport: { width: 1280, height: 800 }, permissions: ['clipboard-read', 'clipboard-write'] };
    const context = await browser.newContext({ ...plain, ...how });
    const page = await context.newPage();
    /** @type {string[]} */
    const wrong = [];
    page.on('console', (told) => told.type() === 'error' && wrong.push(told.text()));
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) wrong.push(`asked ${request.url()}`);
    });
    await page.goto(url + fragment);
    await page.locator('#graph svg').waitFor();
    return { page, wrong, url, picture: (/** @type {string} */ name) => page.screenshot({ path: join(PICTURES, `${name}.png`) }) };
  };
  const close = async () => {
    await browser.close();
    end();
  };

  /** In milliseconds from the start of a program: until it listens, and until a page of it has painted its graph. */
  const firstPicture = async () => {
    const page = await (await browser.newContext()).newPage();
    const began = performance.now();
    const own = await serve();
    const listens = performance.now() - began;
    await page.goto(own.url, { waitUntil: 'commit' });
    await page.locator('#graph svg').waitFor();
    await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))));
    const painted = performance.now() - began;
    const asked = await page.evaluate(() => performance.getEntriesByType('resource')
      .map((one) => `${new URL(one.name).pathname} ${one.startTime.toFixed(0)}–${one.responseEnd.toFixed(0)}`));
    await page.close();
    own.end();
    return { listens, painted, asked };
  };
  return { visit, close, url, firstPicture };
}
