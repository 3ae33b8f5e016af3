-- Starts `aivm lsp` for files of aivm, colours them by tree-sitter where its parser is built, and runs what a code lens names.
-- `vim.g.aivm_path` says where the program is, if not on PATH.
if vim.g.loaded_aivm then return end
vim.g.loaded_aivm = true

local program = vim.g.aivm_path or 'aivm'

-- A run in a terminal below, of the file that a code lens or a command is about.
local function run(file, mock)
  if vim.fn.executable(program) == 0 then
    return vim.notify(program .. ' is no program: install aivm, or set g:aivm_path', vim.log.levels.ERROR)
  end
  vim.cmd('silent update | botright new')
  vim.fn.termopen(mock and { program, 'run', '--mock', file } or { program, 'run', file }, { cwd = vim.fn.fnamemodify(file, ':h') })
end

local function run_lens(mock)
  return function(command) run(vim.uri_to_fname(command.arguments[1]), mock) end
end

vim.lsp.commands['aivm.run'] = run_lens(false)
vim.lsp.commands['aivm.runMock'] = run_lens(true)
vim.api.nvim_create_user_command('AivmRun', function() run(vim.fn.expand('%:p'), false) end, {})
vim.api.nvim_create_user_command('AivmRunMock', function() run(vim.fn.expand('%:p'), true) end, {})

-- Before Neovim 0.11 nothing reads lsp/aivm.lua by itself.
local client
local function attach(buffer)
  local server = dofile(vim.api.nvim_get_runtime_file('lsp/aivm.lua', false)[1])
  client = client or vim.lsp.start_client({ name = 'aivm', cmd = server.cmd, root_dir = vim.fn.getcwd() })
  if client then vim.lsp.buf_attach_client(buffer, client) end
end

local found = vim.fn.executable(program) == 1
if found and vim.lsp.enable then vim.lsp.enable('aivm') end

vim.api.nvim_create_autocmd('FileType', {
  pattern = 'aivm',
  callback = function(event)
    vim.bo[event.buf].commentstring = '; %s'
    if #vim.api.nvim_get_runtime_file('parser/aivm.*', false) > 0 and vim.treesitter.start then
      vim.treesitter.start(event.buf, 'aivm')
    end
    if not found then
      vim.notify_once(program .. ' is no program: install aivm, or set g:aivm_path', vim.log.levels.WARN)
    elseif not vim.lsp.enable then
      attach(event.buf)
    end
  end,
})
