const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { find, notFound, runArguments } = require('../src/program');

/** A folder with a program `aivm`, a file `aivm.txt` that is none, and a folder `sub/aivm`. */
function folder() {
  const at = fs.mkdtempSync(path.join(os.tmpdir(), 'aivm-'));
  fs.writeFileSync(path.join(at, 'aivm'), '#!/bin/sh\n', { mode: 0o755 });
  fs.writeFileSync(path.join(at, 'aivm.txt'), '', { mode: 0o644 });
  fs.mkdirSync(path.join(at, 'sub', 'aivm'), { recursive: true });
  return at;
}

test('the first program on the search path is taken, and a folder is none', () => {
  const at = folder();
  const PATH = [path.join(at, 'nowhere'), path.join(at, 'sub'), at].join(path.delimiter);
  assert.equal(find('', { PATH }, '/'), path.join(at, 'aivm'));
  assert.equal(find('  ', { PATH }, '/'), path.join(at, 'aivm'));
  assert.equal(find('', { PATH: path.join(at, 'sub') }, '/'), undefined);
  assert.equal(find('', {}, '/'), undefined);
});

test('the setting is taken alone, from the folder or from home', () => {
  const at = folder();
  assert.equal(find('./aivm', {}, at), path.join(at, 'aivm'));
  assert.equal(find('~/aivm', { HOME: at }, '/'), path.join(at, 'aivm'));
  assert.equal(find(path.join(at, 'aivm.txt'), { PATH: at }, '/'), undefined);
});

test('who has no program is told what to do', () => {
  assert.match(notFound(''), /Install it/);
  assert.match(notFound('/opt/none'), /`\/opt\/none`/);
});

test('a mock run says so', () => {
  assert.deepEqual(runArguments('a b.aivm', true), ['run', '--mock', 'a b.aivm']);
  assert.deepEqual(runArguments('a b.aivm', false), ['run', 'a b.aivm']);
});
