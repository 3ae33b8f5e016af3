vim.api.nvim_create_autocmd({ 'BufRead', 'BufNewFile' }, {
  pattern = '*.aivm',
  callback = function() vim.bo.filetype = 'aivm' end,
})
