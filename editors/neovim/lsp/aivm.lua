-- What `vim.lsp.config` (Neovim 0.11) reads under the name `aivm`.
return {
  cmd = { vim.g.aivm_path or 'aivm', 'lsp' },
  filetypes = { 'aivm' },
  root_markers = { 'aivm.toml', '.git' },
}
