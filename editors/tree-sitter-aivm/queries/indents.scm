[(group) (stage)] @indent.begin
")" @indent.branch @indent.end
[(toml) (comment)] @indent.ignore
