-- Run by test/run in the editor; ends it with 0 when all holds.
local ok, error = pcall(function()
  local function open(worker)
    local file = vim.fn.tempname() .. '.aivm'
    vim.fn.writefile({ 'out <= (', '    switch[a] <= (', '        ' .. worker, '    )', ') <= in' }, file)
    vim.cmd('edit ' .. file)
  end
  open('clean => send')
  assert(vim.bo.filetype == 'aivm', 'the type of the file is ' .. vim.bo.filetype)
  assert(vim.bo.commentstring == '; %s', 'comments are ' .. vim.bo.commentstring)
  assert(vim.fn.exists(':AivmRunMock') == 2, 'there is no :AivmRunMock')

  local tree = vim.treesitter.get_parser(0, 'aivm'):parse()[1]
  assert(tree:root():type() == 'source_file', 'the tree is a ' .. tree:root():type())
  local read = vim.treesitter.query and vim.treesitter.query.get or vim.treesitter.get_query
  for _, name in ipairs({ 'highlights', 'folds', 'indents', 'locals', 'injections' }) do
    assert(read('aivm', name), 'there are no ' .. name)
  end
  local label
  local query = read('aivm', 'highlights')
  for id, node in query:iter_captures(tree:root(), 0, 0, -1) do
    if query.captures[id] == 'label' then label = { node:range() } end
  end
  assert(vim.deep_equal(label, { 1, 11, 1, 12 }), 'the label is at ' .. vim.inspect(label))

  vim.cmd('AivmRunMock')
  local terminal = vim.api.nvim_get_current_buf()
  local function said() return table.concat(vim.api.nvim_buf_get_lines(terminal, 0, -1, false), '\n') end
  assert(vim.wait(20000, function() return said():find('sent') end, 50), 'the run said ' .. said())

  open('clean -> send')
  local told = vim.wait(20000, function() return #vim.diagnostic.get(0) > 0 end, 50)
  assert(told, 'the language server said nothing')
  local first = vim.diagnostic.get(0)[1]
  assert(first.lnum == 2 and tostring(first.code) == 'E0106', vim.inspect(first))
end)
io.stdout:write(ok and 'neovim: all holds\n' or tostring(error) .. '\n')
vim.cmd(ok and 'qall!' or 'cquit 1')
