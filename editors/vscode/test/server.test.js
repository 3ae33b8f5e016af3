// What the extension's client would hear from `aivm lsp`, without the editor. AIVM names the program.
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { after, before, test } = require('node:test');
const rpc = require('vscode-languageserver-protocol/node');
const { LANGUAGE_SERVER } = require('../src/program');

const URI = 'file:///somewhere/pipeline.aivm';
const PROGRAM = `out <= (
    switch[draft] <= (
        analyze => next
        shout -> send
    )
) <= in
`;

/** @type {import('node:child_process').ChildProcess} */
let server;
/** @type {import('vscode-languageserver-protocol').ProtocolConnection} */
let client;
/** What the server said last of each text. @type {Map<string, import('vscode-languageserver-protocol').PublishDiagnosticsParams>} */
const told = new Map();
/** @type {(() => void)[]} */
let waiting = [];

before(async () => {
  const program = process.env.AIVM ?? 'aivm';
  server = spawn(program, LANGUAGE_SERVER, { stdio: ['pipe', 'pipe', 'inherit'] });
  const { stdin, stdout } = server;
  assert.ok(stdin && stdout);
  client = rpc.createProtocolConnection(new rpc.StreamMessageReader(stdout), new rpc.StreamMessageWriter(stdin));
  client.onNotification(rpc.PublishDiagnosticsNotification.type, (diagnostics) => {
    told.set(diagnostics.uri, diagnostics);
    waiting.forEach((go) => go());
    waiting = [];
  });
  client.listen();
  await client.sendRequest(rpc.InitializeRequest.type, {
    processId: process.pid,
    rootUri: null,
    capabilities: { textDocument: { publishDiagnostics: {}, codeAction: { codeActionLiteralSupport: { codeActionKind: { valueSet: ['quickfix'] } } } } },
  });
  await client.sendNotification(rpc.InitializedNotification.type, {});
});

after(async () => {
  const ended = new Promise((resolve) => server.once('exit', resolve));
  await client.sendRequest(rpc.ShutdownRequest.type);
  await client.sendNotification(rpc.ExitNotification.type);
  assert.equal(await ended, 0);
  client.dispose();
});

/** The next diagnostics for which this holds. @param {(all: import('vscode-languageserver-protocol').Diagnostic[]) => boolean} holds */
async function diagnostics(holds) {
  for (;;) {
    const now = told.get(URI)?.diagnostics;
    if (now && holds(now)) return now;
    await new Promise((resolve) => waiting.push(() => resolve(undefined)));
  }
}

test('an error is told at its place, and its fix mends the text', async () => {
  const textDocument = { uri: URI, languageId: 'aivm', version: 1, text: PROGRAM };
  await client.sendNotification(rpc.DidOpenTextDocumentNotification.type, { textDocument });
  const [first] = await diagnostics((all) => all.length > 0);
  assert.deepEqual([first.code, first.range], ['E0106', { start: { line: 3, character: 14 }, end: { line: 3, character: 16 } }]);

  const actions = await client.sendRequest(rpc.CodeActionRequest.type, { textDocument: { uri: URI }, range: first.range, context: { diagnostics: [first] } });
  const fix = /** @type {import('vscode-languageserver-protocol').CodeAction} */ (actions?.find((action) => 'edit' in action));
  const edits = fix?.edit?.changes?.[URI] ?? fix?.edit?.documentChanges?.flatMap((change) => ('edits' in change ? change.edits : []));
  assert.ok(edits, JSON.stringify(actions));
  assert.deepEqual(edits.map((edit) => ('newText' in edit ? edit.newText : '')), ['=>']);
  const contentChanges = [{ range: first.range, text: '=>' }];
  await client.sendNotification(rpc.DidChangeTextDocumentNotification.type, { textDocument: { uri: URI, version: 2 }, contentChanges });
  await diagnostics((all) => all.every((one) => one.code !== 'E0106'));
});

test('words are completed and explained', async () => {
  const at = { textDocument: { uri: URI }, position: { line: 2, character: 11 } };
  const found = await client.sendRequest(rpc.CompletionRequest.type, at);
  const items = Array.isArray(found) ? found : found?.items ?? [];
  assert.ok(items.some((item) => item.label === 'analyze'), JSON.stringify(items.slice(0, 5)));
  const hover = await client.sendRequest(rpc.HoverRequest.type, at);
  assert.match(JSON.stringify(hover?.contents), /analyze/);
});

test('the code lenses are the commands of the extension', async () => {
  const lenses = await client.sendRequest(rpc.CodeLensRequest.type, { textDocument: { uri: URI } });
  const commands = require('../package.json').contributes.commands.map((/** @type {{ command: string }} */ one) => one.command);
  const named = (lenses ?? []).map((lens) => lens.command);
  assert.ok(named.length >= 2, JSON.stringify(lenses));
  for (const one of named) assert.ok(one && commands.includes(one.command) && one.arguments?.[0] === URI, JSON.stringify(one));
});
