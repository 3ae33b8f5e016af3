((toml) @injection.content
 (#set! injection.language "toml"))
