// What needs the editor, and no more: the language server's client, two commands that run a pipeline, and what is said when the
// program is missing. Everything about the language comes from `aivm lsp`.
const path = require('node:path');
const vscode = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');
const { find, notFound, runArguments, LANGUAGE_SERVER } = require('./program');

const SELECTOR = [{ language: 'aivm', scheme: 'file' }, { language: 'aivm', scheme: 'untitled' }];

/** @type {LanguageClient | undefined} */
let client;

/** @param {vscode.ExtensionContext} context */
async function activate(context) {
  const status = vscode.languages.createLanguageStatusItem('aivm.program', { language: 'aivm' });
  status.name = 'aivm';
  const restart = () => start(status);
  context.subscriptions.push(
    status,
    vscode.commands.registerCommand('aivm.run', (place) => run(place, false)),
    vscode.commands.registerCommand('aivm.runMock', (place) => run(place, true)),
    vscode.commands.registerCommand('aivm.restart', restart),
    vscode.workspace.onDidChangeConfiguration((change) => change.affectsConfiguration('aivm.path') && restart()),
  );
  await restart();
}

async function deactivate() {
  const old = client;
  client = undefined;
  await old?.stop();
}

function setting() {
  return vscode.workspace.getConfiguration('aivm').get('path', '');
}

/** The program; where there is none, a person is told so and offered a way out. */
function program() {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? process.cwd();
  const found = find(setting(), process.env, folder);
  if (!found) {
    vscode.window.showErrorMessage(notFound(setting()), 'Open the setting').then((choice) => choice && openSetting());
  }
  return found;
}

function openSetting() {
  return vscode.commands.executeCommand('workbench.action.openSettings', 'aivm.path');
}

/** @param {vscode.LanguageStatusItem} status */
async function start(status) {
  await deactivate();
  const command = program();
  if (!command) {
    status.text = 'aivm: program not found';
    status.severity = vscode.LanguageStatusSeverity.Error;
    status.command = { title: 'Open the setting', command: 'workbench.action.openSettings', arguments: ['aivm.path'] };
    return;
  }
  client = new LanguageClient('aivm', 'aivm', { command, args: LANGUAGE_SERVER }, { documentSelector: SELECTOR });
  try {
    await client.start();
    status.text = 'aivm';
    status.detail = command;
    status.severity = vscode.LanguageStatusSeverity.Information;
    status.command = { title: 'Restart', command: 'aivm.restart' };
  } catch (error) {
    status.text = 'aivm: the language server does not start';
    status.detail = String(error);
    status.severity = vscode.LanguageStatusSeverity.Error;
    status.command = { title: 'Try again', command: 'aivm.restart' };
  }
}

/**
 * Runs a file as a task, whose terminal stays open; no shell is between, so a name needs no quoting.
 * @param {vscode.Uri | string | undefined} place what a code lens or a menu names; without it, what the editor shows
 * @param {boolean} mock
 */
async function run(place, mock) {
  const uri = typeof place === 'string' ? vscode.Uri.parse(place) : place ?? vscode.window.activeTextEditor?.document.uri;
  if (uri?.scheme !== 'file') {
    vscode.window.showErrorMessage('Save the pipeline into a file first: `aivm run` reads files.');
    return;
  }
  await vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString())?.save();
  const command = program();
  if (!command) return;
  const name = `${mock ? 'run (mock)' : 'run'} ${path.basename(uri.fsPath)}`;
  const scope = vscode.workspace.getWorkspaceFolder(uri) ?? vscode.TaskScope.Workspace;
  const cwd = path.dirname(uri.fsPath);
  const execution = new vscode.ProcessExecution(command, runArguments(uri.fsPath, mock), { cwd });
  const task = new vscode.Task({ type: 'aivm' }, scope, name, 'aivm', execution);
  task.presentationOptions = { reveal: vscode.TaskRevealKind.Always, clear: true };
  await vscode.tasks.executeTask(task);
}

module.exports = { activate, deactivate };
