// The program `aivm`: where it is, and what it is called with. Nothing here needs the editor.
const fs = require('node:fs');
const path = require('node:path');

/**
 * The program that the setting names, else the first one on the search path; undefined where there is none.
 * @param {string} setting `aivm.path`, or nothing
 * @param {{ PATH?: string, PATHEXT?: string, HOME?: string, USERPROFILE?: string }} env
 * @param {string} folder what a relative setting starts from
 * @returns {string | undefined}
 */
function find(setting, env, folder) {
  if (setting.trim()) {
    const home = env.HOME ?? env.USERPROFILE ?? '~';
    const named = path.resolve(folder, setting.trim().replace(/^~(?=[\\/])/, home));
    return isProgram(named) ? named : undefined;
  }
  const names = ['aivm', ...(env.PATHEXT ?? '').split(';').filter(Boolean).map((end) => `aivm${end.toLowerCase()}`)];
  const folders = (env.PATH ?? '').split(path.delimiter).filter(Boolean);
  return folders.flatMap((at) => names.map((name) => path.join(at, name))).find(isProgram);
}

/** @param {string} file */
function isProgram(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/**
 * What to tell a person whose program was not found.
 * @param {string} setting
 */
function notFound(setting) {
  return setting.trim()
    ? `\`aivm.path\` is \`${setting.trim()}\`, and no program is there. Correct the setting, or empty it to take the \`aivm\` on PATH.`
    : 'The program `aivm` is not on PATH. Install it, or say where it is in the setting `aivm.path`.';
}

/** The arguments of the language server. */
const LANGUAGE_SERVER = ['lsp'];

/**
 * The arguments of a run.
 * @param {string} file
 * @param {boolean} mock
 */
function runArguments(file, mock) {
  return mock ? ['run', '--mock', file] : ['run', file];
}

module.exports = { find, notFound, runArguments, LANGUAGE_SERVER };
