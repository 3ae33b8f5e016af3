; Labels and definitions are names of the whole file.
(source_file) @local.scope
(stage label: (word) @local.definition)
(definition name: (word) @local.definition)
(reference stage: (word) @local.reference)
(jump stage: (word) @local.reference)
(step worker: (path . (word) @local.reference .))
