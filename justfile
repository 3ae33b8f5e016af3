# What CI runs.
check:
    .ci/run

# The README's test command.
test:
    cargo test --workspace

# Long forms of what CI runs in short: a million generated programs, a million keys typed, a hundred thousand questions to the playground, forty million simulated crashes, each mutant often, every
# sort of snapshot, the program killed at each of its calls by twenty different ways to recover, forty kills for each way to a bucket, ten minutes of each fuzz target.
soak:
    AIVM_KEYS=1000000 cargo test --release -p aivm-schema keys_of
    AIVM_LAWS=1000000 cargo test --release --test laws
    AIVM_EDITS=1000000 cargo test --release --test edits -- --nocapture
    AIVM_ASKED=100000 cargo test --release --test cli edited
    AIVM_CRASHES=2000000 tests/crash/run
    AIVM_MUTANTS=20 cargo test --release --test mutants
    AIVM_MUTANTS=20 AIVM_SNAPSHOTS=100 cargo test --release -p aivm-vm
    AIVM_TORTURE=long cargo test --release --test torture -- --nocapture --test-threads 1
    AIVM_S3_KILLS=40 tests/s3/servers
    fuzz/run 600
    AIVM_TREE_SITTER=1 .ci/run editors

# The grammar for tree-sitter, the extension for Visual Studio Code, the plugin for Neovim; builds tree-sitter's tool where it is not here.
editors:
    AIVM_TREE_SITTER=1 .ci/run editors

# The book as HTML in target/book; needs `mdbook`.
book:
    docs/book

# Write the schema's request anew; needs `capnp`.
schema:
    schema/regenerate.sh
