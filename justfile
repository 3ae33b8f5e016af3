# What CI runs.
check:
    .ci/run

# The README's test command.
test:
    cargo test --workspace

# Long forms of what CI runs in short: a million generated programs, every sort of snapshot.
soak:
    AIVM_LAWS=1000000 cargo test --release --test laws

# Write the schema's request anew; needs `capnp`.
schema:
    schema/regenerate.sh
