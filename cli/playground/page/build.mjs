// Makes the one file that the browser gets of `src/`, with the licences of what is in it. The same sources and lock file make the same
// bytes, which CI checks; see ./build.
import { build } from 'esbuild';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';

const made = await build({
  entryPoints: ['src/main.js'], bundle: true, minify: true, format: 'esm', target: 'es2022', charset: 'utf8',
  metafile: true, write: false, legalComments: 'none',
});
const packages = new Set(Object.keys(made.metafile.inputs).map((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1]).filter(Boolean));
/** The text of each licence, and who is under it. */
const licences = new Map();
for (const name of [...packages].sort()) {
  const folder = `node_modules/${name}`;
  const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  if (!file) throw new Error(`${name} has no licence`);
  const text = readFileSync(`${folder}/${file}`, 'utf8').trim().replaceAll('*/', '* /');
  licences.set(text, [...(licences.get(text) ?? []), `${name} ${version} (${license})`]);
}
const told = [...licences].map(([text, who]) => `${who.join('\n')}\n\n${text}`).join('\n\n----\n\n');
writeFileSync(process.argv[2], `/*! Made of cli/playground/page/src by its ./build. Within:\n\n${told}\n*/\n${made.outputFiles[0].text}`);
