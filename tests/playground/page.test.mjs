// What a visitor does, in a browser.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { AXE, open } from './browser.mjs';

/** @type {Awaited<ReturnType<typeof open>>} */
let stage;
before(async () => {
  stage = await open();
});
after(() => stage.close());

const LOOP = `out <= (
    switch[draft] <= (
        compose => next
        review  => send | back
    )
) <= in
`;

/** Another program in the editor, as if it was pasted over the old one. */
async function paste(page, text) {
  await page.locator('.cm-content').focus();
  await page.keyboard.press('Control+a');
  await page.evaluate((text) => navigator.clipboard.writeText(text), text);
  await page.keyboard.press('Control+v');
}

/** What the editor holds, without the hints in it. */
const program = (page) => page.locator('.cm-line').evaluateAll((lines) => lines.map((line) => {
  const copy = line.cloneNode(true);
  for (const hint of copy.querySelectorAll('.hinted')) hint.remove();
  return copy.textContent.replaceAll('\u200b', '');
}).join('\n'));

/** Until the picture shows a step of this name. */
const drawn = (page, name) => page.locator('#graph text', { hasText: new RegExp(`^${name}$`) }).first().waitFor();

/** Runs, and waits for the end. */
async function run(page) {
  await page.click('#run');
  await page.locator('#value .end').waitFor();
}

/** Nothing on the page is out of reach for somebody who does not see it, or not well. */
async function reachable(page, where) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run());
  const told = found.violations.map((one) => `${one.id}: ${one.help}\n${one.nodes.map((node) => `  ${node.target} ${node.failureSummary}`).join('\n')}`);
  assert.deepEqual(told, [], where);
}

test('an example is there at once, drawn and coloured, and nobody else is asked for anything', async () => {
  const { page, wrong, picture } = await stage.visit();
  await drawn(page, 'verify');
  await page.locator('.c-stage', { hasText: 'switch' }).first().waitFor();
  assert.equal(await page.locator('.problem').count(), 0);
  await picture('1-begin');
  assert.deepEqual(wrong, []);
});

test('what is typed is looked at, an error is told in words, and a fix mends it', async () => {
  const { page, picture } = await stage.visit();
  await paste(page, '');
  await page.keyboard.type('out <= (\nswitch <= (\nshout -> send');
  const problem = page.locator('.problem', { hasText: 'E0106' });
  await problem.waitFor();
  await page.locator('.cm-lintRange-error').first().waitFor();
  await picture('2-error');
  await problem.locator('.place').click();
  assert.ok(await page.locator('.cm-content').evaluate((editor) => editor === document.activeElement), 'a place leads into the editor');
  await problem.locator('.fix').click();
  await problem.waitFor({ state: 'detached' });
  assert.match(await program(page), /shout => send/);
  // Brackets closed themselves; the end of the program is still to be written.
  await page.locator('.problem', { hasText: '<= in' }).locator('.fix').click();
  await drawn(page, 'shout');
  assert.equal(await page.locator('.problem.error').count(), 0);
  assert.match(await program(page), /^out <= \(\n {4}switch <= \(\n {8}shout => send/);
});

test('what may stand at the cursor is offered, and what a word does is told', async () => {
  const { page, picture } = await stage.visit();
  await paste(page, 'out <= (\n    switch <= (\n        \n    )\n) <= in');
  await page.locator('.cm-content').press('Control+Home');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('End');
  await page.keyboard.type('anal');
  const offered = page.locator('.cm-tooltip-autocomplete > ul');
  await offered.getByText('analyze').waitFor();
  await page.locator('.cm-completionInfo', { hasText: 'Asks a model' }).waitFor();
  await picture('2-completion');
  // For a moment after it opens, the list takes no key, so that nobody accepts what has only just come.
  await page.waitForTimeout(150);
  await page.keyboard.press('Enter');
  await page.keyboard.type(' => s');
  await offered.getByText('send').waitFor();
  await page.waitForTimeout(150);
  await page.keyboard.press('Tab');
  await drawn(page, 'analyze');
  assert.match(await program(page), /^ {8}analyze => send/m);
  await page.locator('.c-name', { hasText: 'analyze' }).hover();
  await page.locator('.cm-tooltip-hover', { hasText: 'Asks a model' }).waitFor();
});

test('a run is drawn as it goes, and one can go back and forth in it', async () => {
  const { page, wrong, picture } = await stage.visit();
  await paste(page, LOOP);
  await drawn(page, 'review');
  await page.fill('#input', 'a letter');
  await page.click('#tab-mocks');
  const review = page.locator('.worker', { hasText: 'review' });
  await review.getByText('+ answer').click();
  await review.getByLabel('Word of answer 1').fill('back');
  await review.getByText('+ answer').click();
  await review.getByLabel('Text of answer 2').fill('# A letter\n\nIt is *good*.');
  await run(page);
  assert.deepEqual(await page.locator('#trace .key').allInnerTexts(), ['draft/compose#1', 'draft/review#1', 'draft/compose#2', 'draft/review#2']);
  assert.deepEqual(await page.locator('#trace .outcome').allInnerTexts(), ['next', 'back', 'next', 'send']);
  assert.equal(await page.locator('#value .end').innerText(), 'Ended well');
  await page.locator('#graph .now').waitFor();
  await picture('3-run');

  await page.click('#back');
  await page.click('#back');
  assert.equal(await page.locator('#now').innerText(), '2 / 4');
  assert.equal(await page.locator('#trace [aria-selected=true] .key').innerText(), 'draft/review#1');
  assert.match(await page.locator('#value').innerText(), /a letter/);
  await page.locator('#graph[aria-label*="draft/review#1 led to back"]').waitFor();
  assert.equal(await page.locator('#graph .times').count(), 0, 'nothing has been called twice yet');
  await page.click('#step');
  await page.locator('#graph .times').first().waitFor();
  await page.locator('#trace').press('End');
  assert.match(await page.locator('#value').innerText(), /The output/);
  await page.locator('#time').fill('1');
  assert.equal(await page.locator('#now').innerText(), '1 / 4');
  assert.deepEqual(wrong, []);
});

test('of two steps with one name the one is marked that was called', async () => {
  const { page } = await stage.visit();
  await page.selectOption('#example', 'sketch-2');
  await drawn(page, 'analyze');
  await run(page);
  await page.locator('#graph[aria-label*="mylabel/enrich"]').waitFor();
  assert.match(await page.locator('#trace [aria-selected=true] .key').innerText(), /^mylabel\/enrich/);
  const marked = () => page.locator('#graph .now').evaluateAll((boxes) => boxes.map((box) => box.getBBox().y));
  const last = await marked();
  await page.locator('#trace .key', { hasText: /^switch\.1\/enrich/ }).click();
  await page.locator('#graph[aria-label*="switch.1/enrich"]').waitFor();
  const first = await marked();
  assert.deepEqual([first.length, last.length], [1, 1]);
  assert.ok(first[0] < last[0], `${first} is above ${last}`);
  // Where no label tells them apart, and while it is called.
  await paste(page, '+++\n[worker.b]\nmock = [{ sleep = "9s" }]\n+++\nout <= ( switch <= ( switch <= ( b => next ) switch <= ( b => send ) ) ) <= in');
  await drawn(page, 'b');
  await page.click('#run');
  await page.locator('#graph[aria-label*="calling switch.1/1/switch.1/b"]').waitFor();
  assert.equal((await marked()).length, 1);
  await page.getByRole('button', { name: 'Stop' }).click();
});

test('a word that nobody has is told, and mended', async () => {
  const { page, picture } = await stage.visit();
  await paste(page, 'out <= (\n    switch <= (\n        analize => next\n        compose => send\n    )\n) <= in\n');
  const told = page.locator('.problem.info', { hasText: '`analize` is mocked: nothing is called so' });
  await told.waitFor();
  await page.locator('.problem.info', { hasText: '`compose` is mocked' }).waitFor();
  await picture('2-stranger');
  await told.getByText('did you mean `analyze`?').click();
  await told.waitFor({ state: 'detached' });
  assert.match(await program(page), /^ {8}analyze => next/m);
});

test('what is given to nobody is shown, and can be taken away', async () => {
  const { page } = await stage.visit();
  await paste(page, LOOP);
  await page.click('#tab-mocks');
  const review = page.locator('.worker', { hasText: 'review' });
  await review.getByText('+ answer').click();
  await review.getByLabel('Word of answer 1').fill('cancel');
  await paste(page, LOOP.replace('review', 'judge'));
  await page.locator('.worker', { hasText: 'review: no step calls it' }).waitFor();
  await run(page);
  await page.locator('#value', { hasText: '`review` has answers here, and no step calls it' }).waitFor();
  await page.getByLabel('Remove what is given to review').click();
  assert.equal(await page.locator('.worker', { hasText: 'review' }).count(), 0);
});

test('the picture is whole when the page opens, and nothing is scrolled away', async () => {
  for (const viewport of [{ width: 1440, height: 900 }, { width: 1280, height: 720 }, { width: 390, height: 844 }]) {
    const { page } = await stage.visit({ viewport });
    await page.locator('.c-stage', { hasText: 'switch' }).first().waitFor();
    const seen = await page.locator('#graph').evaluate((box) => [scrollY, box.scrollTop, box.scrollHeight - box.clientHeight, box.scrollWidth - box.clientWidth]);
    assert.deepEqual(seen, [0, 0, 0, 0], JSON.stringify(viewport));
    await page.click('#larger');
    await page.click('#larger');
    const middle = () => page.locator('#graph').evaluate((box) => (box.scrollTop + box.clientHeight / 2) / box.scrollHeight);
    assert.ok(Math.abs(await middle() - 0.5) < 0.05, 'it grows around its middle');
    await page.click('#fit');
    await page.close();
  }
});

test('the end is told when it is seen', async () => {
  const { page } = await stage.visit({ reducedMotion: 'no-preference' });
  await page.locator('.c-stage').first().waitFor();
  const told = page.evaluate(() => new Promise((told) => {
    const said = document.getElementById('said');
    new MutationObserver(() => said.textContent && told([said.textContent, document.getElementById('now').textContent])).observe(said, { childList: true });
  }));
  await page.click('#run');
  assert.deepEqual(await told, ['The run ended well after 11 steps.', '11 / 11']);
});

test('how long the first picture takes from the start of the program', async (about) => {
  const { listens, painted, asked } = await stage.firstPicture();
  about.diagnostic(`first picture: ${painted.toFixed(0)} ms; the program listens after ${listens.toFixed(0)} ms; the page asks, in ms: ${asked.join(', ')}`);
  assert.ok(listens < painted);
});

test('a step begins a run, and a change of what it was given is told', async () => {
  const { page } = await stage.visit();
  await paste(page, LOOP);
  await drawn(page, 'review');
  await page.click('#step');
  await page.locator('#now', { hasText: '1 / 2' }).waitFor();
  await page.fill('#input', 'something else');
  await page.getByText('have changed since this run').waitFor();
  await page.click('#step');
  await page.locator('#value', { hasText: 'something else' }).waitFor();
});

test('a run that takes its time is shown as it stands, and can be stopped', async () => {
  const { page } = await stage.visit();
  await paste(page, '+++\n[worker.b]\nmock = [{ sleep = "9s" }]\n+++\nout <= ( switch <= ( a => next  b => send ) ) <= in');
  await drawn(page, 'b');
  await page.click('#run');
  await page.locator('#trace [role=option]').waitFor();
  await page.getByText('calling b').waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.locator('#value .end.cancelled').waitFor();
  await page.getByRole('button', { name: 'Run', exact: true }).waitFor();
});

test('values are shown by their type', async () => {
  const { page, picture } = await stage.visit();
  await paste(page, 'out <= ( switch <= ( pass => send ) ) <= in\n');
  await drawn(page, 'pass');
  const shown = async (type, input) => {
    await page.fill('#type', type);
    await page.fill('#input', input);
    await run(page);
    return page.locator('#value');
  };
  let value = await shown('application/json', '{"a": [1, {"b": null}]}');
  assert.deepEqual(await value.locator('.j-key').allInnerTexts(), ['a', '0', '1', 'b']);
  value = await shown('text/csv', 'name,says\r\n"Ada, L.","a ""b"""\r\n');
  assert.deepEqual(await value.locator('td').allInnerTexts(), ['Ada, L.', 'a "b"']);
  value = await shown('text/markdown', '## Title\n\n<img src=x onerror=alert(1)> **strong** [no](javascript:alert(1)) [yes](https://example.org)');
  assert.equal(await value.locator('h4').innerText(), 'Title');
  assert.equal(await value.locator('strong').innerText(), 'strong');
  assert.deepEqual(await value.locator('a').allInnerTexts(), ['yes']);
  assert.equal(await value.locator('img').count(), 0, 'markup is text');
  await picture('4-markdown');
  await value.getByText('as text').click();
  assert.match(await value.locator('pre').innerText(), /^## Title/);
  value = await shown('image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect width="20" height="10"/></svg>');
  assert.equal(await value.locator('img').evaluate(async (image) => (await image.decode(), image.naturalWidth)), 20);
});

test('the cost bound and the bytecode are there, and of a workflow the arrows', async () => {
  const { page } = await stage.visit();
  await page.click('#tab-cost');
  assert.match(await page.locator('#cost-panel').innerText(), /at most 41 calls/);
  await page.locator('#tab-cost').press('ArrowRight');
  assert.match(await page.locator('#bytecode-panel').innerText(), /switch\.1\/verify/);
  assert.ok(await page.locator('#tab-arrows').isHidden());
  await page.selectOption('#example', 'workflow-release');
  await drawn(page, 'publish');
  await page.locator('#tab-arrows').click();
  assert.match(await page.locator('#arrows-panel').innerText(), /out <= \(/);
  assert.ok(await page.locator('#params select').isVisible());
  await page.selectOption('#params select', 'nowhere');
  await run(page);
});

test('an address holds the program, its input and its mocks, and nothing of it is sent', async () => {
  const { page } = await stage.visit();
  await paste(page, LOOP);
  await drawn(page, 'review');
  await page.fill('#input', 'Grüße 😀');
  await page.fill('#type', 'text/markdown');
  await page.click('#tab-mocks');
  const review = page.locator('.worker', { hasText: 'review' });
  await review.getByText('+ answer').click();
  await review.getByLabel('What answer 1').selectOption('fails');
  await review.getByLabel('Text of answer 1').fill('no time');
  await page.click('#share');
  await page.getByText('The address is copied').waitFor();
  const address = await page.evaluate(() => navigator.clipboard.readText());
  const fragment = new URL(address).hash;
  assert.ok(fragment.length > 20 && fragment.length < 600, fragment);

  const other = await stage.visit({}, fragment);
  const asked = [];
  other.page.on('request', (request) => asked.push(request.url()));
  await drawn(other.page, 'review');
  assert.equal(`${(await program(other.page)).trimEnd()}\n`, LOOP);
  assert.equal(await other.page.inputValue('#input'), 'Grüße 😀');
  assert.equal(await other.page.inputValue('#type'), 'text/markdown');
  await other.page.click('#run');
  await other.page.locator('#value .end.failed').waitFor();
  assert.match(await other.page.locator('#value').innerText(), /no time/);
  assert.ok(asked.length > 0 && asked.every((url) => !url.includes('#')));
});

test('an address that nobody wrote here is told, and an example is opened', async () => {
  for (const [fragment, why] of [['#1', 'damaged'], ['#1AAAA', 'damaged'], ['#1%%%', 'damaged'], ['#2abc', 'no program of this playground']]) {
    const { page, wrong } = await stage.visit({}, fragment);
    await drawn(page, 'verify');
    await page.locator('#said', { hasText: why }).waitFor();
    assert.equal(new URL(page.url()).hash, '');
    assert.deepEqual(wrong, [], fragment);
    await page.close();
  }
});

test('what was changed since it was shared is still there when the page is loaded again', async () => {
  const { page } = await stage.visit();
  await paste(page, LOOP);
  await page.click('#share');
  await page.getByText('The address is copied').waitFor();
  await page.reload();
  await drawn(page, 'review');
  assert.notEqual(new URL(page.url()).hash, '', 'what was not changed is still what the address says');
  await page.locator('.cm-content').press('Control+Home');
  await page.keyboard.type('; mine\n');
  await page.fill('#input', 'mine too');
  assert.equal(new URL(page.url()).hash, '');
  await page.reload();
  await drawn(page, 'review');
  assert.match(await program(page), /^; mine/);
  assert.equal(await page.inputValue('#input'), 'mine too');
});

test('ten megabytes are refused with a word, and the page lives', async () => {
  const { page } = await stage.visit();
  await paste(page, LOOP);
  await drawn(page, 'review');
  await paste(page, '; a comment\n'.repeat(10 * 1024 * 1024 / 12));
  await page.getByText('Not taken: with that the program would be 10.0 MB long').waitFor();
  assert.equal(`${(await program(page)).trimEnd()}\n`, LOOP);
  await page.locator('.cm-content').press('Control+Home');
  await page.keyboard.type('; still here\n');
  await run(page);
  assert.equal(await page.locator('#value .end').innerText(), 'Ended well');
});

test('dark and light: as the system has it, and as somebody chooses', async () => {
  const { page, picture } = await stage.visit({ colorScheme: 'dark' });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(await ground(), 'rgb(20, 24, 29)');
  await page.locator('#graph svg').waitFor();
  await run(page);
  await picture('5-dark');
  await reachable(page, 'dark');
  await page.getByRole('button', { name: 'Dark' }).click();
  assert.equal(await ground(), 'rgb(248, 248, 246)');
  await page.reload();
  assert.equal(await ground(), 'rgb(248, 248, 246)', 'it is kept');
});

test('everything is in reach by the keyboard and for a screen reader', async () => {
  const { page } = await stage.visit();
  await reachable(page, 'at the beginning');
  await paste(page, 'out <= (\n    switch <= (\n        a -> nxt\n    )\n) <= in');
  await page.locator('.problem').first().waitFor();
  await reachable(page, 'with errors');
  await page.selectOption('#example', 'csv-quarantine');
  await page.locator('.problem').first().waitFor({ state: 'detached' });
  await page.click('#tab-mocks');
  await page.locator('.worker').first().waitFor();
  await page.locator('.cm-content').press('Control+Enter');
  await page.locator('#value .end').waitFor();
  await reachable(page, 'after a run, with mocks');
  // The editor does not keep the focus to itself.
  await page.locator('.cm-content').focus();
  await page.keyboard.press('Tab');
  assert.ok(await page.locator('.cm-content').evaluate((editor) => editor !== document.activeElement));
});

test('it fits a phone', async () => {
  const { page, picture } = await stage.visit({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 390, `the page is ${wide} wide`);
  await picture('6-phone');
  await page.tap('#run');
  await page.locator('#value .end').waitFor();
  assert.ok(await page.locator('#graph svg').isVisible());
  const top = await page.locator('#graph').evaluate((graph) => graph.getBoundingClientRect().top);
  assert.ok(top >= 0 && top < 844, 'the graph is in sight');
  await picture('7-phone-run');
  await page.tap('#share');
  const said = await page.getByText('The address is copied').boundingBox();
  assert.ok(said.y > 0 && said.y + said.height < 844, 'what is said is in sight');
  await reachable(page, 'on a phone');
});

test('what the server refuses is told in its words', async () => {
  const { page } = await stage.visit();
  await page.route('**/api/run', (route) => route.fulfill({ status: 429, json: { error: { code: 'E0935', message: 'ask again in a moment' } } }));
  await page.click('#run');
  await page.locator('#said', { hasText: 'E0935: ask again in a moment' }).waitFor();
  await page.locator('#value', { hasText: 'E0935: ask again in a moment' }).waitFor();
  await page.unroute('**/api/run');
  await run(page);
  await paste(page, 'out <= (');
  await page.locator('.problem.error').first().waitFor();
  await page.click('#run');
  await page.locator('#value', { hasText: 'E0108' }).waitFor();
  assert.equal((await page.locator('#value .wrong').innerText()).split('E0108').length, 2, 'its code is told once');
});

test('fifty visitors at once each get their own', async () => {
  const visitors = Array.from({ length: 50 }, (_, nth) => nth);
  await Promise.all(visitors.map(async (nth) => {
    const asked = { program: LOOP, input: `visitor ${nth}`, mocks: { review: ['back', 'send'] } };
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${stage.url}api/run`, { method: 'POST', headers, body: JSON.stringify(asked) });
    const lines = (await answer.text()).trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(answer.status, 200);
    assert.equal(lines.at(-1).artifact.text, `visitor ${nth}`);
    assert.equal(lines.filter((line) => line.type === 'step').length, 4);
  }));
  const { page } = await stage.visit();
  await run(page);
});

test('all of the page together is small', () => {
  const folder = new URL('../../cli/playground/page/', import.meta.url);
  const bytes = ['index.html', 'style.css', 'bundle.js', 'icon.svg'].map((file) => readFileSync(new URL(file, folder)));
  return import('node:zlib').then(({ gzipSync }) => {
    const size = bytes.reduce((all, one) => all + gzipSync(one).length, 0);
    assert.ok(size < 200 * 1024, `${size} bytes`);
  });
});
